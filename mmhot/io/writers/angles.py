"""Joint angles: motions for OpenSim (``.mot``), and tables (``.angles.csv``)."""

from pathlib import Path

import numpy as np

from mmhot.errors import escape
from mmhot.io.atomic import replacing_text
from mmhot.io.writers.csv import cells, write_columns
from mmhot.io.writers.export import Export, OutputRate
from mmhot.io.writers.rates import at_rate, fill_frames
from mmhot.io.writers.trc import in_y_up
from mmhot.skeletons.joint_angles import angle_names, joint_angles
from mmhot.structures.clips_3d import Clip3D

_PLACES = ('pelvis_tx', 'pelvis_ty', 'pelvis_tz')
# Joints of body parts that have another name in angles
_JOINTS = dict(pelvis='root', lumbar='spine', ankle='foot', arm='shoulder')
_HEADER = """\
{name}
version=1
nRows={rows}
nColumns={columns}
inDegrees=yes

Units are S.I. units (second, meters, Newtons, ...)
Angles are in degrees.
{origin}
endheader
"""


def write_mot(clip: Clip3D, path: str | Path, export: Export = Export()) -> None:
    """Write the angles of one person as a motion of OpenSim's full-body model.

    The file begins with the first pose, and repeats the nearest pose in frames without
    one. The header has the origin.

    Args:
        clip (Clip3D): One track of Human3.6M's joints in ``'world'`` axes.
        path (str | Path): The file.
        export (Export): Rate and origin.
    """
    clip = at_rate(clip, export.of(OutputRate).out_fps)
    frames, positions = fill_frames(clip, first=clip.frame[0])
    positions = in_y_up(positions)
    angles = joint_angles(positions)
    names = angle_names(len(clip.joint_names))
    columns = ('time', *names[:3], *_PLACES, *names[3:])
    root = positions[:, clip.joint_names.index('root')]
    table = np.column_stack([clip.seconds(frames), angles[:, :3], root, angles[:, 3:]])
    place = 'origin={:.6f} {:.6f} {:.6f}\n'.format(*export.origin)
    sizes = dict(rows=len(table), columns=len(columns))
    header = _HEADER.format(name=escape(Path(path).stem), origin=place, **sizes)
    with replacing_text(path) as file:
        file.write(header + '\t'.join(columns) + '\n')
        np.savetxt(file, table, fmt='%.6f', delimiter='\t')


def clip_angles(clip: Clip3D) -> dict[str, np.ndarray]:
    """Compute the joint angles of a clip in ``'world'`` axes, degrees, (N,) by name."""
    names = angle_names(len(clip.joint_names))
    angles = np.empty((len(clip), len(names)))
    for rows in clip.stretches():
        angles[rows] = joint_angles(in_y_up(clip.places()[rows]))
    return dict(zip(names, angles.T, strict=True))


def joint_of(angle: str) -> str:
    """Return the joint beside which an angle is shown.

    >>> joint_of('knee_angle_l')
    'left_knee'
    """
    part, _, *side = angle.split('_')
    sides = {'l': 'left_', 'r': 'right_'}
    return ''.join(sides[x] for x in side) + _JOINTS.get(part, part)


def write_csv(clip: Clip3D, path: str | Path, export: object = None) -> None:
    """Write the angles of all poses, degrees, as a table with a row for each pose.

    Args:
        clip (Clip3D): People of Human3.6M's joints in ``'world'`` axes.
        path (str | Path): The file.
        export (object): Not used.
    """
    times = cells(clip.seconds(clip.frame), '.6f')
    angles = {name: cells(x, '.4f') for name, x in clip_angles(clip).items()}
    write_columns(path, dict(frame=clip.frame, time=times, track=clip.track, **angles))
