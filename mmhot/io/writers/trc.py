"""Marker paths (``.trc``), for OpenSim and Pose2Sim."""

from pathlib import Path

import numpy as np

from mmhot.errors import escape
from mmhot.io.atomic import replacing_text
from mmhot.io.writers.export import Export, OutputRate
from mmhot.io.writers.rates import at_rate, fill_frames
from mmhot.structures.clips_3d import Clip3D


def write_person(clip: Clip3D, path: str | Path, export: Export = Export()) -> None:
    """Write the joints of one person as markers: meters, y up.

    The file begins with the first pose, and repeats the nearest pose in frames without
    one.

    Args:
        clip (Clip3D): One track in ``'world'`` axes.
        path (str | Path): The file.
        export (Export): Rate.
    """
    clip = at_rate(clip, export.of(OutputRate).out_fps)
    frames, positions = fill_frames(clip, first=clip.frame[0])
    num_frames, num_joints = positions.shape[:2]
    rate = f'{clip.fps:g}'
    axes = [f'{axis}{joint}' for joint in range(1, num_joints + 1) for axis in 'XYZ']
    header = {
        'DataRate': rate,
        'CameraRate': rate,
        'NumFrames': num_frames,
        'NumMarkers': num_joints,
        'Units': 'm',
        'OrigDataRate': rate,
        'OrigDataStartFrame': int(frames[0]) + 1,
        'OrigNumFrames': num_frames,
    }
    names = (f'{joint}\t\t' for joint in clip.marker_names)
    lines = [
        f'PathFileType\t4\t(X/Y/Z)\t{escape(Path(path).name)}',
        '\t'.join(header),
        '\t'.join(map(str, header.values())),
        '\t'.join(['Frame#', 'Time', *names]).rstrip(),
        '\t'.join(['', '', *axes]),
        '',
    ]
    markers = in_y_up(positions).reshape(num_frames, -1)
    rows = np.column_stack([frames + 1, clip.seconds(frames), markers])
    with replacing_text(path) as file:
        file.write('\n'.join(lines) + '\n')
        np.savetxt(file, rows, ['%d', *['%.6f'] * (rows.shape[1] - 1)], delimiter='\t')


def in_y_up(positions: np.ndarray) -> np.ndarray:
    """Turn positions (..., 3) from z up to y up; x stays.

    >>> in_y_up(np.array([1.0, 2.0, 3.0])).tolist()
    [1.0, 3.0, -2.0]
    """
    return positions[..., [0, 2, 1]] * (1, 1, -1)
