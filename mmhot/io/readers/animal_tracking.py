"""Readers of DeepLabCut's ``.csv`` and of SLEAP's analysis files (HDF5)."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from mmhot.io.arrays import MAX_JSON, as_numbers, read_limited
from mmhot.io.readers.frame_numbers import number_frames
from mmhot.io.readers.npz import check_count
from mmhot.io.readers.rows import Rows, rows_of_tracks

# First bytes of the files.
DEEPLABCUT, HDF5 = b'scorer,', b'\x89HDF'
_HEADER = ('scorer', 'individuals', 'bodyparts', 'coords')
_ARRAYS = {'tracks', 'node_names', 'point_scores'}
_AXES = ['x', 'y', 'likelihood']


def read_deeplabcut(path: Path) -> Rows:
    """Read one or several individuals, from predictions or from labels."""
    text = read_limited(path, MAX_JSON).decode('utf-8-sig')
    lines = [line for line in csv.reader(text.splitlines()) if line]
    header = {line[0]: line for line in lines[:4] if line[0] in _HEADER}
    lines = lines[len(header) :]
    names = header.get('individuals', header['scorer'])
    people: dict[str, dict[str, list[int]]] = {}
    for column, axis in enumerate(header['coords']):
        if axis in _AXES:
            joints = people.setdefault(names[column], {})
            joints.setdefault(header['bodyparts'][column], []).append(column)
    joints = next(iter(people.values()), {})
    # others are landmarks of the place
    same = [own for own in people.values() if own.keys() == joints.keys()]
    columns = [[*own.values()] for own in same]
    axes = [header['coords'][n] for n in sum(columns[0] if columns else [], [])]
    size = 3 if 'likelihood' in axes else 2
    if not (lines and axes) or axes != len(joints) * _AXES[:size]:
        raise ValueError('lacks rows, or x, y and likelihood of each joint')
    # labels have the path of an image in several columns
    images = [line[min(columns[0][0]) - 1] for line in lines]
    frames = number_frames([{'id': image} for image in images], path)
    cells = [[line[n] or 'nan' for n in np.ravel(columns)] for line in lines]
    values = as_numbers(cells, 'cells').reshape(len(lines), *np.shape(columns))
    return rows_of_tracks(
        values.swapaxes(0, 1), np.array([frames[image] for image in images]), joints
    )


def read_sleap(path: Path) -> Rows:
    """Read an analysis file; needs h5py."""
    try:
        import h5py
    except ImportError as error:
        raise ValueError('is HDF5, which needs h5py: pip install h5py') from error
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
    check_count(name, file[name].shape)
