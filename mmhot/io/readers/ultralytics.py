"""Ultralytics' and supervision's results, Ultralytics' JSON, and its labels.

RF-DETR returns supervision's ``KeyPoints``. Only attributes of the objects are used.
The folder ``labels`` that ``save_txt`` writes has a file for each frame with people.
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
# COCO's keypoints, and the numbers before them in a line: class and box.
_NUM_KEYPOINTS = 17
_NUM_BEFORE = 5
_LONGEST_LINE = 4000  # characters
# The numbers of a keypoint, and of what comes after all, by the numbers in a line.
_LAYOUTS = {
    _NUM_BEFORE + size * _NUM_KEYPOINTS + rest: (size, rest)
    for size in (3, 2)
    for rest in (0, 1, 2)
}


def is_result(value: Any) -> bool:
    """Return whether a value is the result of a frame."""
    return hasattr(value, 'xy') or hasattr(value, 'orig_shape')


def plain(value: Any) -> Any:
    """Convert a result to arrays and points of the JSON to lists, or keep a value."""
    if is_result(value):
        return _arrays_of(value)
    if isinstance(value, Mapping) and {*value} == {*_COLUMNS}:
        return np.stack([value[x] for x in _COLUMNS], -1).tolist()
    return value


def _arrays_of(result: Any) -> dict[str, np.ndarray]:
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
    """List the files of a folder with labels; the list is empty for other folders."""
    files = sorted(folder.glob('[!.]*.txt'), key=lambda file: natural_key(file.name))
    for path in files:
        with path.open(encoding='utf-8', errors='replace') as file:
            if len(file.readline(_LONGEST_LINE).split()) in _LAYOUTS:
                return files
    return []


def read_labels(files: list[Path], folder: Path) -> Rows:
    """Read people; coordinates are shares of the image size.

    A line has a class, a box (center, size), keypoints and, if they were asked for, the
    confidence of the box (``save_conf``) and the track ID, which people that the
    tracker has not confirmed lack.
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
    values = as_numbers([cells[:end] for _, cells in people], 'labels', of_text=True)
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
