"""Tables of 3D poses (``.csv``), one row per joint."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from mmhot.io.atomic import replacing_text
from mmhot.structures.clips_3d import Clip3D


def write_csv(clip: Clip3D, path: str | Path, export: object = None) -> None:
    """Write a clip as a table with a row for each joint; unknown values are empty.

    Columns ``x, y, z`` are meters relative to the root, and ``u, v`` are pixels.

    Args:
        clip (Clip3D): The clip, in any axes.
        path (str | Path): The file.
        export (object): Not used.
    """
    columns: dict[str, Iterable] = dict(clip.table())
    for name in columns.keys() - {'frame', 'track', 'joint'}:
        columns[name] = cells(columns[name], '.6f' if name == 'time' else '.6g')
    write_columns(path, columns)


def write_columns(path: str | Path, columns: Mapping[str, Iterable]) -> None:
    """Write columns of equal lengths, with their names in the first row."""
    with replacing_text(path) as file:
        rows = zip(*columns.values(), strict=True)
        csv.writer(file).writerows([columns, *rows])


def cells(values: Iterable[float], form: str) -> list[str]:
    """Format numbers; NaN becomes an empty cell.

    >>> cells([0.5, float('nan')], '.2f')
    ['0.50', '']
    """
    return ['' if np.isnan(value) else format(value, form) for value in values]
