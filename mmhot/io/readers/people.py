"""People as programs write them, joined to rows.

A frame is a list of people, a dict with such a list, one person, or a dict of arrays of
all people. A person is a dict. Each program has a module with its keys, a sample, and
the conversion of unusual values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np

from mmhot.io.arrays import as_number, as_numbers, depth_of, first_of, has_any
from mmhot.io.readers import (
    easymocap,
    mediapipe,
    mmpose,
    openpose,
    panoptic,
    sam_3d_body,
    ultralytics,
    videopose3d,
)
from mmhot.io.readers.frame_numbers import natural_key
from mmhot.io.readers.keys import Key, spell
from mmhot.structures.rows import Rows, number_tracks

_PROGRAMS = mmpose, openpose, sam_3d_body, easymocap, panoptic, mediapipe, videopose3d
# Keys as programs spell them, and the same keys without capitals and signs. If two
# programs share a spelling, the earlier one in the list counts.
_EXACT = {name: key for program in _PROGRAMS for name, key in program.KEYS.items()}
_SPELLED = {spell(name): key for name, key in reversed(_EXACT.items())}
# Fields of people that some program has a key for
FIELDS = tuple(dict.fromkeys(key.field for key in _EXACT.values()))
_POINTS = ('points_2d', 'points_3d')
# Names of the points in messages
TITLES = {'points_3d': 'keypoints_3d', 'points_2d': 'keypoints'}
_EXPECTED = 'pred_keypoints_3d, keypoints_3d, keypoints or pose_landmarks'
# Keys of the people of a frame
PEOPLE = (
    *('instances', 'people', 'persons', 'outputs', 'detections', 'humans', 'bodies'),
)
_PARTS = ('skeleton', 'pose', 'camera')  # keys of dicts within a person
# Keys of track IDs: first MMPose's, which are also ours, then other tools'
_TRACKS = (*mmpose.TRACKS, 'person_id', 'tracker_id', 'obj_id', 'idx', 'id')
_LARGEST_SHARE = 10  # image sizes; landmarks with larger coordinates are pixels
Person = dict[str, Any]
"""Values of a person by field or unknown key; ``are_shares`` if points are shares."""


def people_of(frame: object) -> list[Person]:
    """Return the people of a frame.

    Args:
        frame (object): A list of people, a dict with such a list, one person, a dict of
            people by track ID, or a dict of arrays of all people.

    Returns:
        list[Person]: The values of each person by field.

    Raises:
        ValueError: If a person has no keypoints.

    >>> people_of({'people': {'7': {'keypoints': [[612, 110]]}}})
    [{'track_id': '7', 'points_2d': [[612, 110]]}]
    """
    people = frame
    if isinstance(people, Mapping) and not is_person(people):
        key = next((x for x in PEOPLE if x in people), None)
        people = people if key is None else people[key]
    if isinstance(people, Mapping) and not is_person(people):  # people by track ID
        people = [{'track_id': k, **x} for k, x in people.items() if is_person(x)]
    if not isinstance(people, list | tuple) or mediapipe.are_landmarks(people):
        people = [people]
    read = [_read_person(person) for person in people if person is not None]
    return [person for arrays in read for person in _split(arrays)]


def key_of(name: object) -> Key:
    """Look up the key that a name spells; an unknown name is a field of its own."""
    return _EXACT.get(str(name)) or _SPELLED.get(spell(name)) or Key(str(name))


def names_points(name: object) -> bool:
    """Return whether a name spells a key of points.

    >>> names_points('poseKeypoints2d'), names_points('bbox')
    (True, False)
    """
    return key_of(name).field in ('points', *_POINTS)


def _items(person: object) -> list[tuple[str, Any]]:
    """List the keys and values of a person; nested parts come first."""
    parts = (*map(person.get, _PARTS), person) if isinstance(person, Mapping) else ()
    return [
        item for part in parts if isinstance(part, Mapping) for item in part.items()
    ]


def is_person(value: object) -> bool:
    """Return whether a value is a dict with points, also in nested parts."""
    return any(names_points(name) for name, _ in _items(value))


def lists_people(value: object) -> bool:
    """Return whether a value is a dict with a list of people."""
    return has_any(value, PEOPLE)


def is_frame(value: object) -> bool:
    """Return whether a value is a person, or a frame of people."""
    return is_person(value) or lists_people(value) or mediapipe.are_landmarks(value)


def to_plain(content: object) -> Any:
    """Convert a document to dicts, lists, tuples, numbers, text and arrays of numbers.

    Tensors, arrays of objects and results of packages become lists and dicts.

    >>> to_plain({'fps': np.array(25.0), 'boxes': np.array([None, {'id': 1}])})
    {'fps': 25.0, 'boxes': [None, {'id': 1}]}
    """
    if (
        isinstance(content, np.ndarray)
        and content.ndim > 0
        and not content.dtype.hasobject
    ):
        return content
    if hasattr(content, 'tolist'):
        content = content.tolist()
    content = mediapipe.plain(ultralytics.plain(content))
    if isinstance(content, Mapping):
        return {name: to_plain(value) for name, value in content.items()}
    if isinstance(content, list | tuple) and not isinstance(first_of(content), Real):
        parts = [*map(to_plain, content)]
        return tuple(parts) if isinstance(content, tuple) else parts
    return content


def _read_person(person: object) -> Person:
    """Read a person, or arrays of people (P, ...)."""
    if mediapipe.are_landmarks(person):
        person = {'landmarks': person}
    if not is_person(person):
        raise ValueError(
            f'has a person without keypoints: expected a key such as {_EXPECTED}'
        )
    values: Person = {}
    for name, value in _items(person):
        key = key_of(name)
        if key.field == 'bboxes' and isinstance(value, Mapping):  # body and hands
            value = value.get('body')
        if key.field in _POINTS and isinstance(value, Mapping):  # points by joint
            values['joint_names'] = [*value]
            value = [*value.values()]
        if key.num_points is not None:
            value = value[: key.num_points]
        read = {key.field: value}
        if key.field in _POINTS and mediapipe.is_landmark(first_of(value)):
            read = mediapipe.read_landmarks(value, key.field)
        for field, x in {**key.stated, **read}.items():
            if x is not None:  # If several keys have one field, the first one counts.
                values.setdefault(field, x)
    return values


def _split(values: Person) -> list[Person]:
    """Split arrays (P, ...) of P people into the values of each person."""
    counts = {len(values[x]) for x in _POINTS if depth_of(values.get(x)) > 2}
    if not counts:
        return [values]
    arrays = {k: x for k, x in values.items() if depth_of(x) and len(x) in counts}
    others = {k: x for k, x in values.items() if k not in arrays}
    return [
        others | {k: x[row] for k, x in arrays.items() if row < len(x)}
        for row in range(max(counts))  # MediaPipe may have fewer people in 3D
    ]


def gather(
    pairs: Sequence[tuple[int, Person]],
    header: Mapping[str, object],
    size: int = 2,
) -> Rows:
    """Stack people, each with a frame number, into rows.

    Args:
        pairs (Sequence): Frame number and person.
        header (Mapping): Fields that the source states for all people.
        size (int): Coordinates of the points to read, 2 or 3. People without them are
            left out. If no person has them, points of the other kind are read.

    Returns:
        Rows: One row per person, in the order of the pairs; missing values are NaN.

    Raises:
        ValueError: If no person has points.

    >>> nose = [[612.0, 110.0, 0.9]]
    >>> gather([(4, {'points_2d': nose}), (5, {'points_2d': nose})], {}).points.shape
    (2, 1, 3)
    """
    for kind in (f'points_{size}d', f'points_{5 - size}d'):
        if chosen := [x for x in pairs if len(x[1].get(kind, ()))]:
            break
    else:
        raise ValueError(
            f'has no people with keypoints: expected a key such as {_EXPECTED}'
        )
    people = [person for _, person in chosen]
    frame = np.array([number for number, _ in chosen])
    stacks = {field: _stack(people, field) for field in FIELDS}
    arrays = {field: array for field, array in stacks.items() if array is not None}
    points = arrays[kind]
    if points.ndim == 2 and points.shape[1] % 3 == 0:  # COCO and OpenPose: x, y, score
        arrays[kind] = points.reshape(len(people), -1, 3)
    elif points.ndim == 2 and points.shape[1] % 4 == 0 and kind == 'points_3d':
        arrays[kind] = points.reshape(len(people), -1, 4)  # Panoptic: x, y, z, score
    if 'bboxes' in arrays:  # MMPose writes them inside another list.
        arrays['bboxes'] = arrays['bboxes'].reshape(len(people), -1)[:, :4]
    are_shares = any('are_shares' in person for person in people) and bool(
        np.nanmax(np.abs(points[..., :2])) < _LARGEST_SHARE
    )
    header = {'joint_names': people[0].get('joint_names'), **header}
    return replace(
        to_rows(arrays, header, kind),
        frame=frame,
        track=_stack_tracks(people, frame),
        axes=people[0].get('axes'),
        is_normalized=are_shares,
    )


def _stack(people: Sequence[Person], field: str) -> np.ndarray | None:
    """Stack a field of N people, (N, ...), with NaN where it is missing, or None."""
    values = [person.get(field) for person in people]
    known = next((value for value in values if value is not None), None)
    if known is None:
        return None
    title = TITLES.get(field, field)
    lost = np.full(as_numbers(title, known).shape, np.nan).tolist()
    return as_numbers(title, [lost if x is None else x for x in values])


def to_rows(
    arrays: Mapping[str, np.ndarray], header: Mapping[str, Any], kind: str
) -> Rows:
    """Build rows from arrays by field and from a header.

    ``kind`` is the field of the points, (N, K, C) or (T, P, K, C).
    """
    points = arrays[kind]
    scores = arrays.get('scores')
    pixels = None
    if kind == 'points_2d':
        points, scores = _split_scores(points, scores)
    elif 'points_2d' in arrays:
        pixels = arrays['points_2d'][..., :2]
    names = header.get('joint_names')
    table = header.get('keypoint_id2name')
    if names is None and table:
        names = [table[key] for key in sorted(table, key=natural_key)]
    skeleton = header.get('skeleton')
    if skeleton is None and names is None:
        skeleton = openpose.SKELETONS.get(points.shape[-2])
    focal = arrays.get('focal_length')
    return Rows(
        points,
        scores,
        bboxes=arrays.get('bboxes'),
        root_3d=arrays.get('root_3d'),
        keypoints_2d=pixels,
        width=single(header, 'width'),
        height=single(header, 'height'),
        fps=single(header, 'fps'),
        focal_length=None if focal is None else float(np.nanmedian(focal)),
        skeleton=None if skeleton is None else str(skeleton),
        joint_names=None if names is None else tuple(map(str, np.ravel(names))),
    )


def _split_scores(
    points: np.ndarray, scores: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Separate MediaPipe's visibility or COCO's flags (..., K) from points (..., K, C).

    MediaPipe's points are x, y, depth and visibility. COCO's flags are 0 for unlabeled
    points, 1 for labeled but occluded points, and 2 for visible points.
    """
    if points.shape[-1] == 4:
        scores = points[..., 3]
        points = points[..., :2]
    if points.shape[-1] == 3 and np.isin(points[..., 2], (0, 1, 2)).all():
        is_labeled = points[..., 2] > 0
        points = points[..., :2]
        if scores is None or scores.shape != is_labeled.shape:
            scores = np.ones(is_labeled.shape)
        scores = np.where(is_labeled, scores, 0)
    return points, scores


def single(header: Mapping[str, object], key: str) -> float | None:
    """Return the number under a key of a header; None if the header lacks the key.

    >>> single({'fps': [25]}, 'fps')
    25.0
    """
    value = header.get(key)
    return None if value is None else as_number(key, value)


def _stack_tracks(people: Sequence[Person], frames: np.ndarray) -> np.ndarray | None:
    """Stack the track IDs of people, (N,), as they are; None if there are none.

    Keys other than MMPose's may number boxes instead. They are ignored if one value
    occurs twice in a frame, and ``id`` also if no value occurs in two frames.
    """
    for key in _TRACKS:
        ids = [np.ravel(person.get(key, [])).tolist() for person in people]
        values = [each[0] if each else None for each in ids]
        tracks, _ = number_tracks(values)
        pairs = zip(tracks.tolist(), frames.tolist(), strict=True)
        stated = [pair for pair in pairs if pair[0] >= 0]
        is_twice = len({*stated}) < len(stated)
        is_once = key == 'id' and len({x for x, _ in stated}) == len(stated)
        if stated and (key in mmpose.TRACKS or not (is_twice or is_once)):
            return np.array(values, object)
    return None
