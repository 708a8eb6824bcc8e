"""Results of packages as plain lists and dicts.

The packages are Ultralytics, supervision (RF-DETR returns its ``KeyPoints``, too),
MediaPipe and TensorFlow.js (landmarks, points with named coordinates), and easy_ViTPose
(JSON). Only attributes of objects are used.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmhot.io.arrays import as_numbers, depth_of, has_any

_COORDINATES = 'x', 'y', 'visible'  # lists of all points' values in Ultralytics' JSON
NUM_LANDMARKS, HIPS, CENTERED = 33, slice(23, 25), 0.02
"""MediaPipe's landmarks, and hips, which are the origin of landmarks in meters."""
_LEAST = 1e-3  # least visibility, as 0 would mark a missing point


def plain(value: Any) -> Any:
    """Convert tensors, arrays of objects, results of packages to lists and dicts."""
    is_array = isinstance(value, np.ndarray)
    is_plain = is_array and (value.dtype.hasobject or value.ndim == 0)
    if hasattr(value, 'requires_grad') or is_plain:
        return value.tolist()
    if is_result(value):
        return _columns_of(value)
    if hasattr(value, 'pose_landmarks'):
        names = 'pose_world_landmarks', 'pose_landmarks'
        return {name: getattr(value, name, None) for name in names}
    if isinstance(value, Mapping) and {*value} == {*_COORDINATES}:
        return np.stack([value[x] for x in _COORDINATES], -1).tolist()
    if has_any(value, ('landmark',)):
        return value['landmark']
    return [*value.landmark] if hasattr(value, 'landmark') else value


def is_result(value: Any) -> bool:
    """Return whether a value is the result of a frame, which other packages return."""
    return hasattr(value, 'xy') or hasattr(value, 'orig_shape')


def _columns_of(result: Any) -> dict[str, Any]:
    """Return the arrays of the people in a result by name."""
    points = result if hasattr(result, 'xy') else getattr(result, 'keypoints', None)
    boxes = getattr(result, 'boxes', None)
    ids = getattr(boxes, 'id', None)
    if ids is None:  # supervision's
        ids = (getattr(result, 'data', None) or {}).get('tracker_id')
    names = 'conf', 'keypoint_confidence', 'confidence'
    scores = next((getattr(points, x) for x in names if hasattr(points, x)), None)
    values = dict(
        pred_keypoints_2d=getattr(points, 'xy', None),
        scores=scores,
        track_id=ids,
        bbox=getattr(boxes, 'xyxy', None),
        orig_shape=getattr(result, 'orig_shape', None),
    )
    return {
        key: np.asarray(x.cpu() if hasattr(x, 'cpu') else x)
        for key, x in values.items()
        if x is not None and len(x)
    }


def frames_of_vitpose(document: Any) -> dict[str, Any] | None:
    """Convert the JSON of easy_ViTPose to frames of people by ID; None of others.

    Its frames have points as y, x, score by the ID of the person.
    """
    frames = document.get('keypoints') if isinstance(document, Mapping) else None
    if not (isinstance(frames, list) and all(isinstance(x, Mapping) for x in frames)):
        return None
    people = [person for frame in frames for person in frame.values()]
    if not people or any(depth_of(person) != 2 for person in people):
        return None
    return {
        'frames': [
            {
                track: {'keypoints': [[x, y, score] for y, x, score in person]}
                for track, person in frame.items()
            }
            for frame in frames
        ],
        'keypoint_id2name': document.get('skeleton'),
    }


def stack_people(content: Any) -> tuple[np.ndarray, np.ndarray | None] | None:
    """Stack rtmlib's keypoints (P, K, 2) of each frame, or pairs with scores (P, K).

    Returns keypoints (T, P, K, 2) and perhaps scores (T, P, K), NaN and 0 for people
    who are not in a frame; None for other values.
    """
    if not isinstance(content, list):
        return None
    pairs = [x if isinstance(x, tuple) else (x,) for x in content]
    axes = {tuple(map(np.ndim, pair)) for pair in pairs}
    if axes not in ({(3,)}, {(3, 2)}) or not hasattr(pairs[0][0], 'dtype'):
        return None
    most = max(len(pair[0]) for pair in pairs)
    stacked = [
        np.stack([_padded(x, most, value) for x in column])
        for column, value in zip(zip(*pairs, strict=True), (np.nan, 0), strict=False)
    ]
    return stacked[0], stacked[1] if len(stacked) > 1 else None


def _padded(people: np.ndarray, count: int, value: float) -> np.ndarray:
    """Append people of one value to an array (P, ...), up to a count."""
    missing = np.full((count - len(people), *people.shape[1:]), value)
    return np.concatenate([people, missing])


def is_landmark(value: Any) -> bool:
    """Return whether a value has named coordinates."""
    is_object = hasattr(value, 'x') and hasattr(value, 'y')
    return has_any(value, ('x', 'position')) or is_object


def is_landmarks(value: Any) -> bool:
    """Return whether a value is the landmarks of a person."""
    return isinstance(value, Sequence) and len(value) > 0 and is_landmark(value[0])


def coordinates(points: Any) -> list:
    """Return x, y, z and visibility of landmarks in lists, dicts or objects."""
    if isinstance(points, list | tuple):
        return [*map(coordinates, points)]
    names = 'x', 'y', 'z', 'visibility', 'score'
    if not isinstance(points, Mapping):
        points = {name: getattr(points, name, None) for name in names}
    points = {**points, **points.get('position', {})}  # PoseNet nests coordinates
    x, y, z, *seen = (points.get(name) for name in names)
    visibility = next((value for value in seen if value is not None), 1.0)
    return [x, y, z or 0.0, visibility or _LEAST]


def are_meters(points: list) -> bool:
    """Return whether landmarks of MediaPipe are relative to the middle of the hips."""
    person = points[0] if depth_of(points) > 2 else points
    if len(person) != NUM_LANDMARKS:
        return False
    center = as_numbers(person[HIPS], 'landmarks').mean(0)
    return bool((np.abs(center[:3]) < CENTERED).all())
