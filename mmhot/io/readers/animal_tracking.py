"""Readers of ``.csv`` of DeepLabCut and SLEAP, and of SLEAP's analysis files (HDF5)."""

import codecs
import csv
import re
from pathlib import Path
from typing import Any

import numpy as np

from mmhot.errors import pip
from mmhot.io.arrays import MAX_JSON, as_numbers, check_count, read_limited
from mmhot.io.readers.frame_numbers import number_frames
from mmhot.structures.rows import Rows, rows_of_tracks

HDF5 = b'\x89HDF'
"""First bytes of the files."""
# First cells of the files; spreadsheets may quote them and name the separator.
_BEFORE = r'(?P<before>\s*(?:"?sep=[,;\t|]"?\s+)?)"?'
_DEEPLABCUT = re.compile(_BEFORE + r'scorer"?(?P<separator>[,;\t|])')
_SLEAP = re.compile(_BEFORE + r'track"?(?P<separator>[,;\t|])"?frame_idx\b')
_HEADER = ('scorer', 'individuals', 'bodyparts', 'coords')
_ARRAYS = {'tracks', 'node_names', 'point_scores'}
_MISSING = -1
_LACKS = 'lacks rows, or x, y and likelihood of each joint'
_AXES = ['x', 'y', 'likelihood']


def is_deeplabcut(start: bytes) -> bool:
    """Return whether a file begins like DeepLabCut's ``.csv``, of any separator."""
    return _DEEPLABCUT.match(_decode(start)) is not None


def is_sleap_csv(start: bytes) -> bool:
    """Return whether a file begins like SLEAP's ``.csv``, of any separator."""
    return _SLEAP.match(_decode(start)) is not None


def read_sleap_csv(path: Path) -> Rows:
    """Read the ``.csv`` of SLEAP: a row for each instance, x, y and score by joint."""
    header, *lines = _cells(path, _SLEAP)
    columns = {name: place for place, name in enumerate(header)}
    joints = [x.removesuffix('.x') for x in header if x.endswith('.x')]
    axes = ('x', 'y', 'score')
    try:
        places = [columns[f'{joint}.{axis}'] for joint in joints for axis in axes]
    except KeyError as error:
        raise ValueError(f'lacks the column {error}') from error
    rows = [line for line in lines if any(line)]
    if not (rows and joints):
        raise ValueError('lacks rows, or x, y and score of each joint')
    cells = [[_number(line[place]) for place in (1, *places)] for line in rows]
    values = as_numbers(cells, 'cells', of_text=True)
    points = values[:, 1:].reshape(len(rows), len(joints), 3)
    names = [line[0] for line in rows]
    points[..., 2] = np.nan_to_num(points[..., 2], nan=1.0)
    # without a tracker all names are empty
    return Rows(points, None, values[:, 0], np.array(names), joint_names=tuple(joints))


def _decode(data: bytes) -> str:
    """Decode text as spreadsheets encode it."""
    is_wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = data[: len(data) & ~1].decode('utf-16', 'replace') if is_wide else None
    return text or data.removeprefix(codecs.BOM_UTF8).decode('utf-8', 'replace')


def _cells(path: Path, first: re.Pattern[str]) -> list[list[str]]:
    """Split a file that begins with a pattern into the cells of its lines."""
    text = _decode(read_limited(path, MAX_JSON))
    found = first.match(text)
    assert found, 'it was asked for before'
    lines = text[found.end('before') :].splitlines()
    try:
        sign = found['separator']
        return [*csv.reader(lines, delimiter=sign, skipinitialspace=True)]
    except csv.Error as error:  # no ValueError
        raise ValueError(f'is no table of numbers: {error}') from error


def _number(cell: str) -> str:
    """Return a number that may have a decimal comma, NaN of an empty cell."""
    return cell.replace(',', '.') or 'nan'


def read_deeplabcut(path: Path) -> Rows:
    """Read one or several individuals, from predictions or from labels."""
    lines = [line for line in _cells(path, _DEEPLABCUT) if any(line[1:])]
    header = {line[0]: line for line in lines[:4] if line[0] in _HEADER}
    lines = lines[len(header) :]
    names = header.get('individuals', header['scorer'])
    people: dict[str, dict[str, list[int]]] = {}
    for column, axis in enumerate(header['coords']):
        if axis in _AXES:
            own = people.setdefault(names[column], {})
            own.setdefault(header['bodyparts'][column], []).append(column)
    # others are landmarks of the place
    known = next(iter(people.values()), {})
    people = {name: own for name, own in people.items() if own.keys() & known.keys()}
    joints = [*dict.fromkeys(joint for own in people.values() for joint in own)]
    size = 3 if 'likelihood' in header['coords'] else 2
    wanted = [*range(size)]
    for own in people.values():
        for joint, columns in own.items():
            axes = {_AXES.index(header['coords'][n]): n for n in columns}
            if sorted(axes) != wanted or len(columns) != size:
                raise ValueError(_LACKS)
            own[joint] = [axes[n] for n in wanted]
    if not (lines and joints):
        raise ValueError(_LACKS)
    missing = size * [_MISSING]
    found = [[own.get(joint, missing) for joint in joints] for own in people.values()]
    # labels have the path of an image in several columns
    column = min(header['coords'].index(axis) for axis in _AXES[:2]) - 1
    images = [line[column] for line in lines]
    frames = number_frames([{'id': image} for image in images], path)
    # an absent column is the last, empty one
    cells = [
        [_number(line[n]) for n in np.ravel(found)]
        for line in ([*line, ''] for line in lines)
    ]
    values = as_numbers(cells, 'cells', of_text=True)
    values = values.reshape(len(lines), *np.shape(found))
    return rows_of_tracks(
        values.swapaxes(0, 1), np.array([frames[image] for image in images]), joints
    )


def read_sleap(path: Path) -> Rows:
    """Read an analysis file; needs h5py."""
    try:
        import h5py
    except ImportError as error:
        raise ValueError(
            f'is HDF5, which needs h5py: {pip("install", "h5py")}'
        ) from error
    with h5py.File(path) as file:
        if not {'tracks', 'node_names'} <= {*file}:
            raise ValueError(
                'is HDF5, but no analysis file of SLEAP, which has tracks and '
                'node_names; of DeepLabCut give the .csv'
            )
        for name in _ARRAYS.intersection(file):
            _check_array(h5py, file, name)
        # people, axes, joints, frames
        values, names = file['tracks'][()], file['node_names'][()].ravel()
        if values.ndim != 4 or values.shape[1:3] != (2, len(names)):
            raise ValueError(f"'tracks' is {values.shape}: (P, 2, K, T) is expected")
        if 'point_scores' in file:
            values = np.append(values, file['point_scores'][()][:, None], 1)
    values, frames = values.transpose(0, 3, 2, 1), np.arange(values.shape[3])
    return rows_of_tracks(values, frames, [name.decode() for name in names])


def _check_array(h5py: Any, file: Any, name: str) -> None:
    """Refuse an array that is too large, or whose values are in another file."""
    link = file.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink):
        raise ValueError(f'{name!r} is a link, and links are not followed')
    if file[name].external or file[name].is_virtual:
        raise ValueError(f'{name!r} has its values in another file, which is not read')
    kind = file[name].dtype
    if kind.kind not in ('SO' if name == 'node_names' else 'fiu'):
        raise ValueError(f'{name!r} holds {kind}: numbers, and names, are expected')
    check_count(name, (*file[name].shape, max(kind.itemsize // 8, 1)))
