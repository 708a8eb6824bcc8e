"""Gait: strides (``.gait.csv``) and mean cycles of angles (``.cycles.csv``)."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

from mmhot.errors import NothingToWriteError
from mmhot.io.writers.angles import clip_angles
from mmhot.io.writers.csv import cells, write_columns
from mmhot.skeletons.gait import (
    SIDES,
    Stride,
    find_strides,
    is_on_treadmill,
    mean_cycle,
    walking_direction,
)
from mmhot.structures.clips_3d import Clip3D

_NUMBERS = (
    *('contact', 'lift_off', 'next_contact', 'step_time', 'step_length'),
    *('step_width', 'stride_time', 'stride_length', 'speed', 'cadence', 'stance'),
)
# Sine of the largest angle between a treadmill and the image plane, 30 degrees. Beyond
# it step lengths are unknown, as depths of lifted feet are too small. Steps of six
# lifted walks are 91 to 103 % as long as they are at 0 to 8 degrees, 79 to 106 % at 45,
# and 19 to 69 % if the person is seen from the front or from behind.
_FRONT = 0.5


def clip_strides(clip: Clip3D) -> list[tuple[int, Stride]]:
    """Find the strides of all people.

    Lengths of steps on a treadmill are NaN unless it is seen from the side.

    Args:
        clip (Clip3D): People of Human3.6M's joints in ``'world'`` axes.

    Returns:
        list[tuple[int, Stride]]: Track ID and stride.
    """
    found = []
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
        found += [(int(clip.track[rows[0]]), stride) for stride in strides]
    return found


def write_csv(clip: Clip3D, path: str | Path, export: object = None) -> str | None:
    """Write the strides of all people, in seconds, meters and steps per minute.

    Args:
        clip (Clip3D): People of Human3.6M's joints in ``'world'`` axes.
        path (str | Path): The file.
        export (object): Not used.

    Returns:
        str | None: Note for the user on lengths that are left out, if any.

    Raises:
        NothingToWriteError: If no person walks.
    """
    strides = clip_strides(clip)
    if not strides:
        raise NothingToWriteError(
            'no .gait.csv: no person walks; three contacts in a row are '
            'needed, 0.25 to 1.2 seconds apart, and both feet on the ground between '
            'steps, unlike in runs and hops'
        )
    columns: dict[str, list] = {
        'track': [track for track, _ in strides],
        'foot': [stride.foot for _, stride in strides],
    }
    for name in _NUMBERS:
        columns[name] = cells([getattr(stride, name) for _, stride in strides], '.4f')
    write_columns(path, columns)
    if any(np.isnan(stride.step_length) for _, stride in strides):
        return 'no lengths and speeds on treadmills seen from the front or from behind'
    return None


def write_cycles(clip: Clip3D, path: str | Path, export: object = None) -> str | None:
    """Write the mean cycles of the angles of all people, in degrees.

    Args:
        clip (Clip3D): People of Human3.6M's joints in ``'world'`` axes.
        path (str | Path): The file.
        export (object): Not used.

    Returns:
        str | None: Note for the user on cycles that are left out, if any.

    Raises:
        NothingToWriteError: If no foot has two strides.
    """
    strides = clip_strides(clip)
    rows: list[dict[str, object]] = []
    notes = []
    for track, foot in product(dict.fromkeys(track for track, _ in strides), SIDES):
        of_foot = [x for owner, x in strides if (owner, x.foot) == (track, foot)]
        if len(of_foot) > 1:
            rows += _cycle_rows(clip.take(clip.track == track), of_foot)
        else:
            notes.append(f'no mean cycle: person {track} has no two strides, {foot}')
    if not rows:
        raise NothingToWriteError('no .cycles.csv: no foot has two strides')
    write_columns(path, {name: [row[name] for row in rows] for name in rows[0]})
    return '; '.join(notes) or None


def _cycle_rows(person: Clip3D, strides: list[Stride]) -> list[dict[str, object]]:
    """Return the rows of a foot's mean cycle, from 0 to 100 %.

    They have the angles of its side, and of the pelvis and the trunk.
    """
    foot = strides[0].foot
    angles = {
        name.removesuffix(f'_{foot[0]}'): values
        for name, values in clip_angles(person).items()
        if not name.endswith('_r' if foot == 'left' else '_l')
    }
    values = np.stack([*angles.values()], axis=1)
    both = mean_cycle(strides, person.seconds(person.frame), values)
    names = [f'{name}_{kind}' for name in angles for kind in ('mean', 'sd')]
    start = {'track': person.track[0], 'foot': foot, 'cycles': len(strides)}
    return [
        start | {'percent': percent} | dict(zip(names, cells(row, '.2f'), strict=True))
        for percent, row in enumerate(np.dstack(both).reshape(len(both[0]), -1))
    ]
