"""Reader of 2D keypoints in ``.npz`` files."""

import math
from pathlib import Path
from zipfile import ZipFile

import numpy as np

from mmhot.geometry.keypoint_arrays import to_numbers
from mmhot.io.arrays import as_number, load_arrays
from mmhot.io.readers.rows import Rows

# Shapes of the arrays, in the letters of the shape of `keypoints`.
_ROW_ARRAYS = {
    'frame': ('N',),
    'track': ('N',),
    'scores': ('N', 'K'),
    'bbox_xyxy': ('N', 4),
}
_SINGLE = ('width', 'height', 'fps')
_OF_VIDEOS = 'positions_2d'
# Numbers of the largest array, which becomes float64: 400 MB, and as much for a copy.
_MAX_NUMBERS = 50_000_000


def read_npz(path: Path) -> Rows:
    """Read people; only shapes are checked.

    Args:
        path (Path): Has ``keypoints`` (N, K, 2), or (N, K, 3) with the score last;
            optionally ``frame``, ``track``, ``scores``, ``bbox_xyxy``, ``width``,
            ``height``, ``fps``, ``skeleton``, ``joint_names``. Without ``frame``,
            rows are consecutive frames of one person.
    """
    texts = 'skeleton', 'joint_names'
    arrays = load_arrays(path, ('keypoints', *_ROW_ARRAYS, *_SINGLE, *texts))
    if 'keypoints' not in arrays:
        with ZipFile(path) as archive:
            if f'{_OF_VIDEOS}.npy' in archive.namelist():
                return _read_videos(path)
        raise ValueError("has no array 'keypoints' (T, K, 2)")
    keypoints = to_numbers('keypoints', arrays['keypoints'])
    if keypoints.ndim != 3 or keypoints.shape[-1] not in (2, 3) or not keypoints.size:
        raise ValueError(
            f"'keypoints' is {keypoints.shape}: (T, K, 2), or (T, K, 3) with the score "
            'last, is expected'
        )
    check_count('keypoints', keypoints.shape)
    if keypoints.shape[-1] == 3 and 'scores' in arrays:
        raise ValueError("'keypoints' are 3D, or there are scores beside 'scores'")
    sizes = dict(zip('NK', keypoints.shape, strict=False))
    for name, axes in _ROW_ARRAYS.items():
        expected = tuple(x if isinstance(x, int) else sizes[x] for x in axes)
        if name in arrays and to_numbers(name, arrays[name]).shape != expected:
            raise ValueError(
                f"'{name}' is {arrays[name].shape}, which does not fit 'keypoints' "
                f'{keypoints.shape}: {expected} is expected'
            )
    if 'track' in arrays and 'frame' not in arrays:
        raise ValueError("has 'track' but no array 'frame'")
    names = arrays.get('joint_names')
    return Rows(
        keypoints[..., :2],
        keypoints[..., 2] if keypoints.shape[-1] == 3 else arrays.get('scores'),
        arrays.get('frame', np.arange(len(keypoints))),
        arrays.get('track'),
        arrays.get('bbox_xyxy'),
        **{name: as_number(arrays[name], name) for name in _SINGLE if name in arrays},
        skeleton=arrays['skeleton'].item() if 'skeleton' in arrays else None,
        joint_names=None if names is None else tuple(map(str, names.ravel())),
    )


def _read_videos(path: Path) -> Rows:
    """Read VideoPose3D's ``data_2d_custom``, of one video and one person."""
    from mmhot.io.pickles import load_objects  # needs PyTorch

    content = load_objects(path)
    videos = content[_OF_VIDEOS]
    if not isinstance(videos, dict) or len(videos) != 1:
        listed = ', '.join(map(str, videos)) if isinstance(videos, dict) else 'none'
        raise ValueError(f'must have one video, has {listed:.100}: prepare each alone')
    [(name, cameras)] = videos.items()
    [people] = cameras.values()
    if len(people) != 1:
        raise ValueError(f'must have one person, has {len(people)}')
    keypoints = to_numbers(_OF_VIDEOS, people[0])
    if keypoints.ndim != 3 or keypoints.shape[-1] != 2:
        raise ValueError(f'{_OF_VIDEOS} is {keypoints.shape}: (T, K, 2) is expected')
    check_count(_OF_VIDEOS, keypoints.shape)
    size = content.get('metadata', {}).get('video_metadata', {}).get(name, {})
    numbers = np.arange(len(keypoints))
    return Rows(keypoints, None, numbers, width=size.get('w'), height=size.get('h'))


def check_count(name: str, shape: tuple[int, ...]) -> None:
    """Raise a ValueError for an array with too many numbers."""
    if math.prod(shape) > _MAX_NUMBERS:
        raise ValueError(
            f'{name!r} is {shape}: at most {_MAX_NUMBERS:,} numbers are read; split '
            'the file'
        )
