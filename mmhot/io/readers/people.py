"""People as programs write them.

A frame is a list of people, a dict with such a list, one person, or a dict of arrays of
all people. A person is a dict. Each program has a module with its keys, a sample, and
the conversion of unusual values.
"""

from collections.abc import Mapping
from typing import Any

from mmhot.io.arrays import depth_of, first_of, has_any
from mmhot.io.readers import (
    easymocap,
    mediapipe,
    mmpose,
    openpose,
    panoptic,
    sam_3d_body,
    videopose3d,
)
from mmhot.io.readers.keys import Key, spell

_PROGRAMS = mmpose, openpose, sam_3d_body, easymocap, panoptic, mediapipe, videopose3d
# Keys as programs spell them, and the same keys without capitals and signs. If two
# programs share a spelling, the earlier one in the list counts.
_EXACT = {name: key for program in _PROGRAMS for name, key in program.KEYS.items()}
_SPELLED = {spell(name): key for name, key in reversed(_EXACT.items())}
# Fields of people that some program has a key for
FIELDS = tuple(dict.fromkeys(key.field for key in _EXACT.values()))
_POINTS = ('points_2d', 'points_3d')
EXPECTED = 'pred_keypoints_3d, keypoints_3d, keypoints or pose_landmarks'
# Keys of the people of a frame
PEOPLE = (
    *('instances', 'people', 'persons', 'outputs', 'detections', 'humans', 'bodies'),
)
_PARTS = ('skeleton', 'pose', 'camera')  # keys of dicts within a person
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


def is_frame(value: object) -> bool:
    """Return whether a value is a person, or a frame of people."""
    return is_person(value) or mediapipe.are_landmarks(value) or has_any(value, PEOPLE)


def _read_person(person: object) -> Person:
    """Read a person, or arrays of people (P, ...)."""
    if mediapipe.are_landmarks(person):
        person = {'landmarks': person}
    if not is_person(person):
        raise ValueError(
            f'has a person without keypoints: expected a key such as {EXPECTED}'
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
