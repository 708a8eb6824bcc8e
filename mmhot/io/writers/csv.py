"""Tables of 3D poses (``.csv``), one row per joint."""

import csv
from pathlib import Path

import numpy as np

from mmhot.io.atomic import replacing
from mmhot.structures.clips import Clip3D

_NAMES = 'frame time track joint x y z score_3d root_x root_y root_z u v score error_3d'
COLUMNS = tuple(_NAMES.split())


def write_csv(clip: Clip3D, path: str | Path) -> None:
    """Write a clip as a table; unknown values are left empty.

    Args:
        clip (Clip3D): 3D poses; ``x, y, z`` are root-relative, ``u, v`` in pixels.
        path (str | Path): File to create or replace.
    """
    with (
        replacing(path) as temporary,
        temporary.open('w', encoding='utf-8', newline='') as file,
    ):
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in range(len(clip)):
            writer.writerows(_joints(clip, row))


def _joints(clip: Clip3D, row: int) -> list[list]:
    """Make the rows of one person in one frame."""
    frame = int(clip.frame[row])
    head = [frame, f'{clip.seconds(frame):.6f}', int(clip.track[row])]
    root = [_number(value) for value in clip.root_3d[row]]
    errors = clip.expected_error
    errors = np.full(len(clip.joint_names), np.nan) if errors is None else errors[row]
    return [
        [
            *head,
            name,
            *map(_number, clip.keypoints_3d[row, joint]),
            _number(clip.keypoint_scores_3d[row, joint]),
            *root,
            *map(_number, clip.keypoints_2d[row, joint]),
            _number(clip.scores[row, joint]),
            _number(errors[joint]),
        ]
        for joint, name in enumerate(clip.joint_names)
    ]


def _number(value: np.float32) -> str:
    return '' if np.isnan(value) else f'{value:.6g}'
