"""Gait of people who walk (``.gait.csv``): strides, and mean cycles of angles."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

from mmhot.errors import NothingToWriteError
from mmhot.io.writers.angles import clip_angles
from mmhot.io.writers.csv import cells, write_columns
from mmhot.skeletons.gait import (
    CYCLE,
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
    """Write the strides of all people, and below them the mean cycles of their angles.

    Strides are in seconds, meters and steps per minute, angles in degrees. Returns a
    note on what is unknown; NothingToWriteError if no person walks.
    """
    strides = clip_strides(clip)
    if not strides:
        raise NothingToWriteError(
            'no .gait.csv: no person walks; three contacts in a row are '
            'needed, 0.25 to 1.2 seconds apart, and both feet on the ground between '
            'steps, unlike in runs and hops'
        )
    tracks, rows = zip(*strides, strict=True)
    table = {'track': [*tracks], 'foot': [stride.foot for stride in rows]}
    for name in _NUMBERS:
        table[name] = cells([getattr(stride, name) for stride in rows], '.4f')
    cycles, missing = _mean_cycles(clip, strides)
    empty = [''] * len(strides), [''] * len(cycles.get('track', ()))
    names = [*table, *(name for name in cycles if name not in table)]
    write_columns(
        path, {x: table.get(x, empty[0]) + cycles.get(x, empty[1]) for x in names}
    )
    notes = []
    if any(np.isnan(stride.step_length) for stride in rows):
        notes.append(
            'no lengths and speeds on treadmills seen from the front or from behind'
        )
    if missing:
        notes.append(f'no mean cycle from less than two strides: {", ".join(missing)}')
    return '; '.join(notes) or None


def _mean_cycles(
    clip: Clip3D, strides: list[tuple[int, Stride]]
) -> tuple[dict[str, list], list[str]]:
    """Return columns of mean cycles, 101 rows per foot, and feet without a cycle.

    Each foot has the angles of its side, and of the pelvis and the trunk.
    """
    columns: dict[str, list] = {}
    missing = []
    for track, foot in product(dict.fromkeys(track for track, _ in strides), SIDES):
        of_foot = [x for owner, x in strides if (owner, x.foot) == (track, foot)]
        if len(of_foot) < 2:
            missing.append(f'{foot} foot of person {track}')
            continue
        person = clip.take(clip.track == track)
        angles = {
            name.removesuffix(f'_{foot[0]}'): values
            for name, values in clip_angles(person).items()
            if not name.endswith('_r' if foot == 'left' else '_l')
        }
        values = np.stack([*angles.values()], axis=1)
        mean, deviation = mean_cycle(of_foot, person.seconds(person.frame), values)
        part: dict[str, Sequence] = {'track': [track] * CYCLE, 'foot': [foot] * CYCLE}
        part |= {'cycles': [len(of_foot)] * CYCLE, 'percent': range(CYCLE)}
        for number, name in enumerate(angles):
            part[f'{name}_mean'] = cells(mean[:, number], '.2f')
            part[f'{name}_sd'] = cells(deviation[:, number], '.2f')
        for name, more in part.items():
            columns.setdefault(name, []).extend(more)
    return columns, missing
