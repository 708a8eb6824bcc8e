"""MediaPipe 0.10: landmarks in memory or JSON; keypoints of TensorFlow.js.

Results of ``PoseLandmarker`` and of the older ``solutions.pose`` have 33 landmarks
twice: in shares of the image size, and in meters from the middle of the hips. Points
are dicts, lists or objects. TensorFlow.js has the same keys for pixels, and PoseNet
nests them:

    >>> from mmhot.io.readers.people import people_of
    >>> people_of([{'keypoints': [{'x': 612, 'y': 110, 'score': 0.9, 'name': 'nose'}]}])
    [{'points_2d': [[612, 110, 0.0, 0.9]], 'are_shares': True}]

Pixels are marked as shares, too, but are too large for shares and stay pixels.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmhot.io.arrays import as_numbers, depth_of, has_any
from mmhot.io.readers.keys import Key
from mmhot.skeletons.joints import match_joints
from mmhot.structures.rows import Rows

_SHARES = {'are_shares': True}
KEYS = {
    'pose_world_landmarks': Key('points_3d'),
    'world_landmarks': Key('points_3d'),
    'pose_landmarks': Key('points_2d', _SHARES),
    'landmarks': Key('points_2d', _SHARES),
}
_NUM_LANDMARKS = 33
_HIPS = slice(23, 25)  # both hips among the landmarks
# Largest coordinate of the middle of the hips, meters, or largest depth, in shares of
# the image
_MAX_ROOT = 0.02
_MIN_VISIBILITY = 1e-3  # replaces visibilities of 0, which would mark missing points
_NEAR = (-0.5, 1.5)  # shares of the image; lowest and highest coordinate of landmarks
_MOST = 0.9  # share of the points of a table that must be within these limits


def plain(value: object) -> Any:
    """Convert a result to a dict, and wrapped landmarks to lists; keep other values."""
    if hasattr(value, 'pose_landmarks'):
        names = ('pose_world_landmarks', 'pose_landmarks')
        return {name: getattr(value, name, None) for name in names}
    if has_any(value, ('landmark',)):
        return value['landmark']
    return [*value.landmark] if hasattr(value, 'landmark') else value


def is_landmark(value: object) -> bool:
    """Return whether a value is a point with named coordinates.

    >>> is_landmark({'x': 0.4, 'y': 0.6}), is_landmark([0.4, 0.6])
    (True, False)
    """
    is_object = hasattr(value, 'x') and hasattr(value, 'y')
    return has_any(value, ('x', 'position')) or is_object


def are_landmarks(value: object) -> bool:
    """Return whether a value is the landmarks of a person."""
    return isinstance(value, Sequence) and len(value) > 0 and is_landmark(value[0])


def read_landmarks(points: object, field: str) -> dict[str, object]:
    """Return landmarks as lists, in a field that shows their unit.

    Args:
        points (object): List of landmarks, or a list of people with such lists.
        field (str): Field of their key, ``'points_2d'`` or ``'points_3d'``. Landmarks
            in meters are 3D whatever their key.

    >>> point = {'x': 0.4, 'y': 0.6, 'z': -0.1, 'visibility': 0.9}
    >>> read_landmarks([point], 'points_2d')
    {'points_2d': [[0.4, 0.6, -0.1, 0.9]], 'are_shares': True}
    """
    values = _coordinates(points)
    if field == 'points_3d' or _are_meters(values):
        return {'points_3d': values, 'axes': 'camera'}
    return {field: values, **_SHARES}


def _coordinates(points: Any) -> list:
    """Convert landmarks in lists, dicts or objects to lists x, y, z, visibility."""
    if isinstance(points, list | tuple):
        return [*map(_coordinates, points)]
    names = ('x', 'y', 'z', 'visibility', 'score')
    if not isinstance(points, Mapping):
        points = {name: getattr(points, name, None) for name in names}
    points = {**points, **points.get('position', {})}  # PoseNet nests coordinates
    x, y, z, *seen = (points.get(name) for name in names)
    visibility = next((value for value in seen if value is not None), 1.0)
    return [x, y, z or 0.0, visibility or _MIN_VISIBILITY]


def _are_meters(points: list) -> bool:
    """Return whether landmarks are relative to the middle of the hips."""
    person = points[0] if depth_of(points) > 2 else points
    if len(person) != _NUM_LANDMARKS:
        return False
    center = as_numbers('landmarks', person[_HIPS]).mean(0)
    return bool((np.abs(center[:3]) < _MAX_ROOT).all())


def are_shares(rows: Rows) -> bool:
    """Return whether points (N, K, 3) of a table are landmarks in shares of the image.

    The depth of the hips is then about 0, y is down, and most points are in the image.
    """
    order = [*range(_NUM_LANDMARKS)]
    if rows.joint_names is not None:
        _, order = match_joints(rows.joint_names) or (None, [])
    if len(order) != _NUM_LANDMARKS or rows.points.shape[1] < _NUM_LANDMARKS:
        return False
    hips = rows.points[:, order[_HIPS]].mean(1)
    is_seen = np.isfinite(hips).all(-1)
    pixels = rows.points[is_seen][:, order, :2]
    is_near = (pixels > _NEAR[0]) & (pixels < _NEAR[1])
    is_centered = np.abs(hips[is_seen]) < _MAX_ROOT
    return bool(
        is_seen.any()
        and is_near.mean() > _MOST
        and is_centered[:, 2].mean() > _MOST
        and (pixels[:, 0, 1] < hips[is_seen, 1]).mean() > 0.5  # the nose is above
        and not is_centered[:, :2].all(-1).mean() > 1 - _MOST
    )
