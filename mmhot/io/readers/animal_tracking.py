"""Readers of ``.csv`` of DeepLabCut and SLEAP, and of SLEAP's analysis files (HDF5)."""

from pathlib import Path

import numpy as np

from mmhot.errors import pip
from mmhot.io.readers.frame_numbers import frames_of
from mmhot.io.readers.tables import cells_of, numbers_of
from mmhot.structures.rows import Rows, rows_of_tracks

_HEADER = ('scorer', 'individuals', 'bodyparts', 'coords')
_ARRAYS = {'tracks', 'node_names', 'point_scores'}


def read_sleap_csv(path: Path) -> Rows:
    """Read the ``.csv`` of SLEAP: a row for each instance, x, y and score by joint."""
    header, *lines = cells_of(path)
    joints = [x.removesuffix('.x') for x in header if x.endswith('.x')]
    names = [f'{joint}.{axis}' for joint in joints for axis in ('x', 'y', 'score')]
    lines = [line for line in lines if any(line)]
    values = numbers_of(lines, [header.index(name) for name in ('frame_idx', *names)])
    points = values[:, 1:].reshape(len(lines), len(joints), 3)
    points[..., 2] = np.nan_to_num(points[..., 2], nan=1.0)
    # Without a tracker all names are empty.
    tracks = np.array([line[0] for line in lines])
    return Rows(points, None, values[:, 0], tracks, joint_names=tuple(joints))


def read_deeplabcut(path: Path) -> Rows:
    """Read one or several individuals, from predictions or from labels."""
    lines = [line for line in cells_of(path) if any(line[1:])]
    header = {line[0]: line for line in lines[:4] if line[0] in _HEADER}
    lines = lines[len(header) :]
    axes = ('x', 'y', 'likelihood') if 'likelihood' in header['coords'] else ('x', 'y')
    individuals = header.get('individuals', header['scorer'])
    heads = zip(individuals, header['bodyparts'], header['coords'], strict=True)
    column_of = {head: n for n, head in enumerate(heads) if head[2] in axes}
    first, *_ = column_of
    joints = [x for name, x, axis in column_of if (name, axis) == (first[0], 'x')]
    # The other points are landmarks of the place.
    people = [x for x, joint, axis in column_of if (joint, axis) == (joints[0], 'x')]
    columns = [column_of[x, y, z] for x in people for y in joints for z in axes]
    values = numbers_of(lines, columns)
    values = values.reshape(len(lines), len(people), len(joints), len(axes))
    # Labels have the path of an image in several columns.
    images = [line[min(column_of.values()) - 1] for line in lines]
    frames = np.array(frames_of(images, path))
    return rows_of_tracks(values.swapaxes(0, 1), frames, joints)


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
            is_here = isinstance(file.get(name, getlink=True), h5py.HardLink)
            if not is_here or file[name].external or file[name].is_virtual:
                raise ValueError(f'{name!r} may be in another file, which is not read')
        # axes: people, coordinates, joints, frames
        values, names = file['tracks'][()], file['node_names'][()].ravel()
        if 'point_scores' in file:
            values = np.append(values, file['point_scores'][()][:, None], 1)
    values, frames = values.transpose(0, 3, 2, 1), np.arange(values.shape[3])
    return rows_of_tracks(values, frames, [name.decode() for name in names])


READERS = (
    (b'\x89HDF', read_sleap),
    ((b'scorer,', b'"scorer",'), read_deeplabcut),
    ((b'track,frame_idx,', b'"track","frame_idx",'), read_sleap_csv),
)
"""Readers of files by their first bytes."""
