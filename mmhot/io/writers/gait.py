"""Gait of people who walk (``.gait.csv``): a row for each stride."""

from pathlib import Path

import numpy as np

from mmhot.errors import NothingToWriteError
from mmhot.io.writers.csv import write_rows
from mmhot.skeletons.gait import Stride, find_strides
from mmhot.structures.clips import Clip3D

_COLUMNS = (
    *('foot', 'contact', 'lift_off', 'next_contact', 'step_time', 'step_length'),
    *('step_width', 'stride_time', 'stride_length', 'speed', 'cadence', 'stance'),
)


def clip_strides(clip: Clip3D) -> list[tuple[int, Stride]]:
    """Return the track and the strides of all people; axes are ``'world'``."""
    strides = []
    for rows in clip.stretches():
        poses, root = clip.keypoints_3d[rows], clip.root_3d[rows].astype(np.float64)
        seconds, track = clip.seconds(clip.frame[rows]), int(clip.track[rows[0]])
        poses = poses.astype(np.float64)
        person = find_strides(poses, root, seconds, clip.joint_names)
        strides += [(track, stride) for stride in person]
    return strides


def write_csv(clip: Clip3D, path: str | Path) -> None:
    """Write the strides of all people: seconds, meters, steps per minute.

    Raises:
        NothingToWriteError: If no person walks.
    """
    strides = clip_strides(clip)
    if not strides:
        raise NothingToWriteError(
            'no .gait.csv: no person walks; three contacts in a row are '
            'needed, 0.25 to 1.2 seconds apart'
        )
    lines = (
        (track, stride.foot, *(f'{getattr(stride, x):.4f}' for x in _COLUMNS[1:]))
        for track, stride in strides
    )
    write_rows(path, ('track', *_COLUMNS), lines)
