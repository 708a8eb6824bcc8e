"""Gait of people who walk (``.gait.csv``): a row for each stride."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from mmhot.errors import NothingToWriteError
from mmhot.io.writers.csv import cells, write_columns
from mmhot.skeletons.gait import (
    Stride,
    find_strides,
    is_on_treadmill,
    walking_direction,
)
from mmhot.structures.clips_3d import Clip3D

_NUMBERS = (
    *('contact', 'lift_off', 'next_contact', 'step_time', 'step_length'),
    *('step_width', 'stride_time', 'stride_length', 'speed', 'cadence', 'stance'),
)
# Sine of the angle between a treadmill and the image, 30 degrees, from which on lifted
# feet move too little in depth: half of their way from the front and from behind.
_FRONT = 0.5


def clip_strides(clip: Clip3D) -> list[tuple[int, Stride]]:
    """Return the track and the strides of all people; axes are ``'world'``.

    Lengths of steps on treadmills are NaN unless these are seen from the side.
    """
    of_people = []
    for rows in clip.stretches():
        poses = clip.keypoints_3d[rows].astype(np.float64)
        root = clip.root_3d[rows].astype(np.float64)
        seconds = clip.seconds(clip.frame[rows])
        strides = find_strides(poses, root, seconds, clip.joint_names)
        if is_on_treadmill(strides, seconds):
            sight = root[:, :2].mean(0)
            along = abs(sight @ walking_direction(poses, clip.joint_names))
            if along > _FRONT * np.linalg.norm(sight):
                strides = [
                    replace(stride, step_length=np.nan, stride_length=np.nan)
                    for stride in strides
                ]
        of_people += [(int(clip.track[rows[0]]), stride) for stride in strides]
    return of_people


def write_csv(clip: Clip3D, path: str | Path, export: object = None) -> str | None:
    """Write the strides of all people: seconds, meters, steps per minute.

    Returns a note if lengths are unknown; NothingToWriteError if no person walks.
    """
    strides = clip_strides(clip)
    if not strides:
        raise NothingToWriteError(
            'no .gait.csv: no person walks; three contacts in a row are '
            'needed, 0.25 to 1.2 seconds apart, and both feet on the ground between '
            'steps, unlike in runs and hops'
        )
    tracks, rows = zip(*strides, strict=True)
    columns = {'track': tracks, 'foot': [stride.foot for stride in rows]}
    for name in _NUMBERS:
        columns[name] = cells([getattr(stride, name) for stride in rows], '.4f')
    write_columns(path, columns)
    if any(np.isnan(stride.step_length) for stride in rows):
        return 'no lengths and speeds on treadmills seen from the front or from behind'
    return None
