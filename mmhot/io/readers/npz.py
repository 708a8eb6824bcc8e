"""Reader of 2D keypoints in ``.npz`` files."""

from pathlib import Path

import numpy as np

from mmhot.io.arrays import load_arrays
from mmhot.io.readers.rows import Rows

# Shapes of the arrays, in the letters of the shape of `keypoints`.
_ROW_ARRAYS = {
    'frame': ('N',),
    'track': ('N',),
    'scores': ('N', 'K'),
    'bbox_xyxy': ('N', 4),
}
_SCALARS = ('width', 'height', 'fps')
_TEXTS = ('skeleton', 'joint_names')
# Numbers of the largest array, which becomes float64: 400 MB, and as much for a copy.
_MAX_NUMBERS = 50_000_000
_MAX_NAMES = 1000


def read_npz(path: Path) -> Rows:
    """Read people; only shapes are checked.

    Args:
        path (Path): Has ``keypoints`` (N, K, 2), or (N, K, 3) with the score last;
            optionally ``frame``, ``track``, ``scores``, ``bbox_xyxy``, ``width``,
            ``height``, ``fps``, ``skeleton``, ``joint_names``. Without ``frame``,
            rows are consecutive frames of one person.
    """
    arrays = load_arrays(path, ('keypoints', *_ROW_ARRAYS, *_SCALARS, *_TEXTS))
    if 'keypoints' not in arrays:
        raise ValueError("has no array 'keypoints' (T, K, 2)")
    keypoints = _numbers(arrays, 'keypoints')
    if keypoints.ndim != 3 or keypoints.shape[-1] not in (2, 3):
        raise ValueError(
            f"'keypoints' is {keypoints.shape}: (T, K, 2), or (T, K, 3) with the "
            'score last, is expected'
        )
    if keypoints.size > _MAX_NUMBERS:
        raise ValueError(
            f"'keypoints' is {keypoints.shape}: at most {_MAX_NUMBERS:,} numbers are "
            'read; split the file'
        )
    if not keypoints.size:
        raise ValueError(f"'keypoints' is empty {keypoints.shape}")
    rows = {name: _numbers(arrays, name) for name in _ROW_ARRAYS if name in arrays}
    for name in set(_SCALARS) & set(arrays):
        _numbers(arrays, name)
    _check_text(arrays)
    if keypoints.shape[-1] == 3 and 'scores' in rows:
        raise ValueError(
            f"'keypoints' is {keypoints.shape} beside 'scores': 2D keypoints are "
            'expected, with scores as the third column or as an array'
        )
    for name, values in rows.items():
        _check_shape(name, values, keypoints)
    names = arrays['joint_names'].ravel().tolist() if 'joint_names' in arrays else None
    if 'track' in rows and 'frame' not in rows:
        raise ValueError("has 'track' but no array 'frame'")
    return Rows(
        keypoints=keypoints[..., :2],
        scores=keypoints[..., 2] if keypoints.shape[-1] == 3 else rows.get('scores'),
        frame=rows.get('frame', np.arange(len(keypoints))),
        track=rows.get('track'),
        bboxes=rows.get('bbox_xyxy'),
        **{name: _one(arrays, name) for name in (*_SCALARS, 'skeleton')},
        joint_names=names and tuple(names),
    )


def _numbers(arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    array = arrays[name]
    if array.dtype.kind not in 'iuf':
        kind = {'U': 'text', 'S': 'text', 'b': 'booleans'}.get(array.dtype.kind)
        raise ValueError(
            f"array '{name}' holds {kind or array.dtype}: numbers are expected"
        )
    return array


def _check_shape(name: str, values: np.ndarray, keypoints: np.ndarray) -> None:
    num_rows, num_keypoints = keypoints.shape[:2]
    sizes = {'N': num_rows, 'K': num_keypoints}
    expected = tuple(sizes.get(axis, axis) for axis in _ROW_ARRAYS[name])
    if values.shape != expected:
        raise ValueError(
            f"'{name}' is {values.shape}, which does not fit 'keypoints' "
            f'{keypoints.shape}: {expected} is expected'
        )


def _one(arrays: dict[str, np.ndarray], name: str) -> float | str | None:
    if name not in arrays:
        return None
    if arrays[name].size != 1:
        raise ValueError(f"'{name}' is {arrays[name].shape}: one value is expected")
    return arrays[name].item()


def _check_text(arrays: dict[str, np.ndarray]) -> None:
    for name in set(_TEXTS) & set(arrays):
        array = arrays[name]
        if array.dtype.kind != 'U' or array.size > _MAX_NAMES:
            raise ValueError(
                f"'{name}' is {array.shape} of {array.dtype}: text is expected, at "
                f'most {_MAX_NAMES} names'
            )
