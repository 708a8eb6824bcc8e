"""Ultralytics 8: results, their JSON, labels; supervision's keypoints.

Results of a model with ``-pose`` in its name are read from memory, without importing
the package. So are supervision's ``KeyPoints``, which RF-DETR returns.
``result.to_json()`` writes the points of a person by coordinate:

    >>> points = {'x': [612, 618], 'y': [110, 104], 'visible': [0.9, 0.8]}
    >>> plain(points)
    [[612.0, 110.0, 0.9], [618.0, 104.0, 0.8]]

``save_txt`` writes a folder ``labels`` with a file for each frame with people. A line
has a class, a box (center and size), and 17 keypoints in shares of the image size, then
the confidence of the box (``save_conf``) and the track ID, if they were asked for::

    0 0.49 0.31 0.09 0.48 0.478 0.153 0.93 0.482 0.144 0.88 ... 0.87 3
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmhot.io.arrays import MAX_JSON, as_numbers, read_limited
from mmhot.io.readers.frame_numbers import frames_of, natural_key
from mmhot.structures.rows import Rows

_COLUMNS = ('x', 'y', 'visible')  # keys of all points' values in the JSON
_SCORES = ('conf', 'keypoint_confidence', 'confidence')
_NUM_KEYPOINTS = 17  # keypoints of COCO in a line
_NUM_BEFORE = 5  # numbers before the keypoints: class and box
_LONGEST_LINE = 4000  # characters of a file's first line that are read
# How many numbers each keypoint has, and how many numbers follow the keypoints, by the
# count of all numbers in a line
_LAYOUTS = {
    _NUM_BEFORE + size * _NUM_KEYPOINTS + rest: (size, rest)
    for size in (3, 2)
    for rest in (0, 1, 2)
}


def is_result(value: object) -> bool:
    """Return whether a value is the result of a frame, in memory."""
    return hasattr(value, 'xy') or hasattr(value, 'orig_shape')


def plain(value: object) -> Any:
    """Convert a result to arrays, and points of the JSON to lists; keep other values.

    Args:
        value (object): Result of a frame, or any value in a document.

    Returns:
        Any: Arrays (P, ...) of the people in a frame with keys of people, points
        (K, 3), or the value.
    """
    if is_result(value):
        return _arrays_of(value)
    if isinstance(value, Mapping) and {*value} == {*_COLUMNS}:
        return np.stack([value[x] for x in _COLUMNS], -1).tolist()
    return value


def _arrays_of(result: object) -> dict[str, np.ndarray]:
    """Return the arrays of the people in a result, (P, ...), with keys of people."""
    points = result if hasattr(result, 'xy') else getattr(result, 'keypoints', None)
    boxes = getattr(result, 'boxes', None)
    ids = getattr(boxes, 'id', None)
    if ids is None:  # supervision's
        ids = (getattr(result, 'data', None) or {}).get('tracker_id')
    values = dict(
        keypoints_2d=getattr(points, 'xy', None),
        scores=next((getattr(points, x) for x in _SCORES if hasattr(points, x)), None),
        track_id=ids,
        bbox=getattr(boxes, 'xyxy', None),
        orig_shape=getattr(result, 'orig_shape', None),
    )
    return {
        key: np.asarray(x.cpu() if hasattr(x, 'cpu') else x)
        for key, x in values.items()
        if x is not None and len(x)
    }


def label_files(folder: Path) -> list[Path]:
    """List the text files of a folder of labels; empty for other folders."""
    files = sorted(folder.glob('[!.]*.txt'), key=lambda file: natural_key(file.name))
    for path in files:
        with path.open(encoding='utf-8', errors='replace') as file:
            if len(file.readline(_LONGEST_LINE).split()) in _LAYOUTS:
                return files
    return []


def read_labels(files: list[Path], folder: Path) -> Rows:
    """Read people from labels.

    Args:
        files (list[Path]): Result of :func:`label_files`, one file for each frame.
        folder (Path): Their folder, for messages.

    Returns:
        Rows: One row per line, in shares of the image size. Track IDs are -1 where the
        tracker has not confirmed a person.

    Raises:
        ValueError: If the lines do not have 17 keypoints.
    """
    people = [
        (file.stem, line.split())
        for file in files
        for line in read_limited(file, MAX_JSON).decode('utf-8', 'replace').splitlines()
        if line.strip()
    ]
    widest = max(len(cells) for _, cells in people)
    if widest not in _LAYOUTS:
        raise ValueError(
            f'has lines of {widest} numbers: expected a class, a box and 17 keypoints'
        )
    size, rest = _LAYOUTS[widest]
    whole = [cells for _, cells in people if len(cells) == widest]
    has_ids = rest > 0 and all(cells[-1].isdecimal() for cells in whole)
    end = _NUM_BEFORE + size * _NUM_KEYPOINTS
    values = as_numbers('labels', [cells[:end] for _, cells in people], from_text=True)
    points = values[:, _NUM_BEFORE:].reshape(len(people), _NUM_KEYPOINTS, size)
    center = values[:, 1:3]
    half = values[:, 3:5] / 2
    tracks = [int(x[-1]) if has_ids and len(x) == widest else -1 for _, x in people]
    return Rows(
        points,
        frame=np.array(frames_of([name for name, _ in people], folder)),
        track=np.array(tracks),
        bboxes=np.concatenate([center - half, center + half], 1),
        skeleton='coco-17',
        is_normalized=True,
    )
