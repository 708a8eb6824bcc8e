"""SLEAP 1: ``.csv``, and analysis files (HDF5).

``sleap-convert --format analysis.csv`` writes a row for each instance, ``--format
analysis`` arrays of people by frame: ``tracks`` (P, 2, K, T), ``point_scores``
(P, K, T) and ``node_names`` (K,). The table::

    track,frame_idx,instance.score,nose.x,nose.y,nose.score
    track_0,0,0.9,612.0,110.5,0.93
"""

from pathlib import Path

import numpy as np

from mmhot.errors import pip
from mmhot.io.readers.tables import cells_of, numbers_of
from mmhot.structures.rows import Rows, rows_of_tracks

_ARRAYS = {'tracks', 'node_names', 'point_scores'}


def read_csv(path: Path) -> Rows:
    """Read a table, with one row per instance; track IDs may be empty."""
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


def read_hdf5(path: Path) -> Rows:
    """Read an analysis file, with one row per instance.

    Raises:
        ValueError: If h5py is not installed, or the file is another HDF5 file.
    """
    try:
        import h5py
    except ImportError as error:
        raise ValueError(
            f'is HDF5, which needs h5py: {pip("install", "h5py")}'
        ) from error
    with h5py.File(path) as file:
        if not {'tracks', 'node_names'} <= {*file}:
            raise ValueError(
                'is HDF5, but not an analysis file of SLEAP, which has tracks and '
                'node_names; for DeepLabCut, give the .csv'
            )
        for name in _ARRAYS.intersection(file):
            is_here = isinstance(file.get(name, getlink=True), h5py.HardLink)
            if not is_here or file[name].external or file[name].is_virtual:
                raise ValueError(
                    f'{name!r} may link to another file, which is not opened'
                )
        values = file['tracks'][()]  # (P, 2, K, T)
        names = file['node_names'][()].ravel()
        if 'point_scores' in file:
            values = np.append(values, file['point_scores'][()][:, None], 1)
    frames = np.arange(values.shape[3])
    joints = [name.decode() for name in names]
    return rows_of_tracks(values.transpose(0, 3, 2, 1), frames, joints)
