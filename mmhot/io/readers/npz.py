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
_SINGLE = ('width', 'height', 'fps', 'skeleton')
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
    arrays = load_arrays(path, ('keypoints', *_ROW_ARRAYS, *_SINGLE, 'joint_names'))
    for name, array in arrays.items():
        _check_type(name, array)
    if 'keypoints' not in arrays:
        raise ValueError("has no array 'keypoints' (T, K, 2)")
    keypoints = arrays['keypoints']
    _check_size(keypoints)
    scores = arrays.get('scores')
    if keypoints.shape[-1] == 3:
        if scores is not None:
            raise ValueError(
                f"'keypoints' is {keypoints.shape} beside 'scores': 2D keypoints are "
                'expected, with scores as the third column or as an array'
            )
        scores = keypoints[..., 2]
    sizes = dict(zip('NK', keypoints.shape, strict=False))
    for name, axes in _ROW_ARRAYS.items():
        expected = tuple(sizes.get(axis, axis) for axis in axes)
        if name in arrays and arrays[name].shape != expected:
            raise ValueError(
                f"'{name}' is {arrays[name].shape}, which does not fit 'keypoints' "
                f'{keypoints.shape}: {expected} is expected'
            )
    if 'track' in arrays and 'frame' not in arrays:
        raise ValueError("has 'track' but no array 'frame'")
    names = arrays.get('joint_names')
    return Rows(
        keypoints[..., :2],
        scores,
        arrays.get('frame', np.arange(len(keypoints))),
        arrays.get('track'),
        arrays.get('bbox_xyxy'),
        **{name: _one(arrays, name) for name in _SINGLE},
        joint_names=None if names is None else tuple(names.ravel().tolist()),
    )


def _check_size(keypoints: np.ndarray) -> None:
    shape = f"'keypoints' is {keypoints.shape}"
    if keypoints.ndim != 3 or keypoints.shape[-1] not in (2, 3):
        raise ValueError(
            f'{shape}: (T, K, 2), or (T, K, 3) with the score last, is expected'
        )
    if keypoints.size > _MAX_NUMBERS:
        raise ValueError(
            f'{shape}: at most {_MAX_NUMBERS:,} numbers are read; split the file'
        )
    if not keypoints.size:
        raise ValueError(f"'keypoints' is empty {keypoints.shape}")


def _check_type(name: str, array: np.ndarray) -> None:
    is_text = name in _TEXTS
    if array.dtype.kind not in ('U' if is_text else 'iuf') or (
        is_text and array.size > _MAX_NAMES
    ):
        kind = {'U': 'text', 'S': 'text', 'b': 'booleans'}.get(array.dtype.kind)
        wanted = f'text is expected, at most {_MAX_NAMES} names'
        raise ValueError(
            f"'{name}' holds {kind or array.dtype}: "
            f'{wanted if is_text else "numbers are expected"}'
        )


def _one(arrays: dict[str, np.ndarray], name: str) -> float | str | None:
    if name not in arrays:
        return None
    if arrays[name].size != 1:
        raise ValueError(f"'{name}' is {arrays[name].shape}: one value is expected")
    return arrays[name].item()
