"""Tables of 3D poses (``.csv``), one row per joint."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from mmhot.io.atomic import replacing_text
from mmhot.structures.clips import Clip3D

_NAMES = 'frame time track joint x y z score_3d root_x root_y root_z u v score error_3d'
COLUMNS = tuple(_NAMES.split())


def write_csv(clip: Clip3D, path: str | Path) -> None:
    """Write a clip as a table; unknown values are left empty.

    Args:
        clip (Clip3D): 3D poses; ``x, y, z`` are root-relative, ``u, v`` in pixels.
        path (str | Path): File to create or replace.
    """
    scores, errors = clip.scores, clip.expected_error
    errors = np.full_like(scores, np.nan) if errors is None else errors
    root = np.repeat(clip.root_3d[:, None], len(clip.joint_names), axis=1)
    numbers = np.concatenate(
        [
            clip.keypoints_3d,
            clip.keypoint_scores_3d[..., None],
            root,
            clip.keypoints_2d,
            scores[..., None],
            errors[..., None],
        ],
        axis=-1,
    )
    rows = (
        (*head, joint, *map(_number, values))
        for head, person in zip(row_heads(clip), numbers, strict=True)
        for joint, values in zip(clip.joint_names, person, strict=True)
    )
    write_rows(path, COLUMNS, rows)


def row_heads(clip: Clip3D) -> list[tuple[int, str, int]]:
    """Return frame, seconds and track ID of each row."""
    seconds = [f'{second:.6f}' for second in clip.seconds(clip.frame)]
    return list(zip(clip.frame.tolist(), seconds, clip.track.tolist(), strict=True))


def write_rows(
    path: str | Path, columns: Sequence[str], rows: Iterable[Sequence]
) -> None:
    """Write a table with the names of its columns in the first row."""
    with replacing_text(path) as file:
        csv.writer(file).writerow(columns)
        csv.writer(file).writerows(rows)


def _number(value: float) -> str:
    return '' if np.isnan(value) else f'{value:.6g}'
