"""Reader of other packages' objects with keypoints, one object for each frame.

These are the ``Results`` of Ultralytics, and the ``KeyPoints`` of supervision, which
RF-DETR returns, too, and of which only attributes are used; results of MediaPipe, and
dicts with people.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np

from mmhot.io.readers.people import read_people
from mmhot.structures.rows import Rows

_ATTRIBUTES = 'xy', 'orig_shape'


def as_predictions(value: object) -> Iterable[object] | None:
    """Return the objects if ``value`` is one, or a list or generator; else None."""
    if _is_prediction(value):
        return [value]
    if isinstance(value, np.ndarray | str) or not isinstance(value, Iterable):
        return None
    frames = iter(value)
    first = next(frames, None)
    return chain([first], frames) if _is_prediction(first) else None


def read_predictions(frames: Iterable[object]) -> Rows:
    """Convert the objects of consecutive frames to rows; values are not checked."""
    height, width, images = None, None, []
    for frame in frames:
        height, width = getattr(frame, 'orig_shape', (height, width))
        is_other = any(hasattr(frame, name) for name in _ATTRIBUTES)
        images.append(_people(frame) if is_other else frame)
    rows = read_people(images, Path('predictions'), 2)
    return replace(rows, width=width, height=height)


def _is_prediction(value: object) -> bool:
    names = *_ATTRIBUTES, 'pose_landmarks'
    return any(hasattr(value, name) for name in names) or isinstance(value, Mapping)


def _people(frame: object) -> list[dict]:
    """Return the people of one frame in the form of MMPose's."""
    source = frame if hasattr(frame, 'xy') else getattr(frame, 'keypoints', None)
    boxes = getattr(frame, 'boxes', None)
    ids = _array(boxes, 'id')
    if ids is None:  # supervision's
        ids = (getattr(frame, 'data', None) or {}).get('tracker_id')
    columns = dict(
        keypoints=_array(source, 'xy'),
        keypoint_scores=_array(source, 'conf', 'keypoint_confidence', 'confidence'),
        track_id=ids,
        bbox=_array(boxes, 'xyxy'),
    )
    arrays = {name: array for name, array in columns.items() if array is not None}
    if 'keypoints' not in arrays or not arrays['keypoints'].size:
        return []
    rows = zip(*arrays.values(), strict=True)
    return [dict(zip(arrays, row, strict=True)) for row in rows]


def _array(source: object, *names: str) -> np.ndarray | None:
    """Return the first of some attributes as an array, also of a GPU's tensor."""
    value = next((getattr(source, x) for x in names if hasattr(source, x)), None)
    if value is None:
        return None
    return np.asarray(value.cpu() if hasattr(value, 'cpu') else value)
