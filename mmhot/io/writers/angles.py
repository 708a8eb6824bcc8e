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
# Joints of parts of the body that have another name in angles.
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
    """Write the angles of one person as motion of OpenSim's full-body model.

    It begins with the first pose of the clip, one track in ``'world'`` axes; gaps
    repeat the nearest pose. The header has the file's origin.
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
    """Return each angle in degrees, (N,) by name; the clip is in ``'world'`` axes."""
    names = angle_names(len(clip.joint_names))
    angles = np.empty((len(clip), len(names)))
    for rows in clip.stretches():
        angles[rows] = joint_angles(in_y_up(clip.places()[rows]))
    return dict(zip(names, angles.T, strict=True))


def joint_of(angle: str) -> str:
    """Return the joint beside which an angle is shown: left_knee of knee_angle_l."""
    part, _, *side = angle.split('_')
    sides = {'l': 'left_', 'r': 'right_'}
    return ''.join(sides[x] for x in side) + _JOINTS.get(part, part)


def write_csv(clip: Clip3D, path: str | Path, export: object = None) -> None:
    """Write the angles of all poses as a table; the clip is in ``'world'`` axes."""
    times = cells(clip.seconds(clip.frame), '.6f')
    angles = {name: cells(x, '.4f') for name, x in clip_angles(clip).items()}
    write_columns(path, dict(frame=clip.frame, time=times, track=clip.track, **angles))
