"""People of frames in nested lists: JSON, pickles, and results in memory.

A document is a list of frames, or a dict of them by image; a frame is a list of people,
a dict with such a list, one person, or a dict of arrays of all people. A person is a
dict. The module of each program has its keys, a sample, and what is special about its
values; this module joins people of all programs to rows:

    >>> frame = {'frame_id': 7, 'instances': [{'keypoints': [[612, 110]], 'id': 3}]}
    >>> rows = read_people({'fps': 30, 'frames': [frame]}, Path('walk.json'), size=2)
    >>> rows.points.tolist(), rows.frame, rows.fps
    ([[[612.0, 110.0]]], array([7.]), 30.0)
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from mmhot.io.arrays import as_number, as_numbers, depth_of, first_of, has_any
from mmhot.io.readers import (
    easy_vitpose,
    easymocap,
    mediapipe,
    mmpose,
    openpose,
    panoptic,
    rtmlib,
    sam_3d_body,
    ultralytics,
    videopose3d,
)
from mmhot.io.readers.frame_numbers import (
    FRAME,
    TIME,
    TRACK,
    Times,
    frames_of,
    natural_key,
    read_times,
)
from mmhot.io.readers.keys import Key, spell
from mmhot.structures.rows import Rows, number_tracks

_PROGRAMS = mmpose, openpose, sam_3d_body, easymocap, panoptic, mediapipe, videopose3d
# Keys as programs spell them, and then with other signs and capitals.
_EXACT = {name: key for program in _PROGRAMS for name, key in program.KEYS.items()}
# The first of two programs with one spelling counts.
_SPELLED = {spell(name): key for name, key in reversed(_EXACT.items())}
_FIELDS = tuple(dict.fromkeys(key.field for key in _EXACT.values()))
_POINTS = ('points_2d', 'points_3d')
# Names of the points in messages.
_TITLES = {'points_3d': 'keypoints_3d', 'points_2d': 'keypoints'}
# Keys of arrays of many frames that are read beside the fields.
_COLUMNS = ('frame', 'track', 'width', 'height', 'fps', 'skeleton', 'joint_names')
_EXPECTED = 'pred_keypoints_3d, keypoints_3d, keypoints or pose_landmarks'
# Keys of a document's frames, of the people of a frame, and of parts of a person.
_FRAMES = ('instance_info', 'frames', 'results', 'predictions', 'data')
_PEOPLE = (
    *('instances', 'people', 'persons', 'outputs', 'detections', 'humans', 'bodies'),
)
_PARTS = ('skeleton', 'pose', 'camera')
# Keys of names of images, spelled alike.
_IMAGE = re.compile(r'(frame|image|img|file)(name|path|id)?')
# Numbers of people in names of files: after a word, or after a frame number.
_PERSON_WORD = re.compile(
    r'[ ._-]?(?:person|people|track|subject|id|obj)[ _-]?(\d+)', re.I
)
_PERSON_NUMBER = re.compile(r'(?<=\d)[ _-](\d{1,2})(?=\D*$)')
# Keys of track IDs: first MMPose's and our own, then other tools', such as AlphaPose's.
_TRACKS = (*mmpose.TRACKS, 'person_id', 'tracker_id', 'obj_id', 'idx', 'id')
_LARGEST_SHARE = 10  # image sizes; landmarks with larger coordinates are pixels
Person = dict[str, Any]
"""Fields of a person, ``are_shares``, and keys that the module of no program has."""


def read_people(content: Any, path: Path, size: int) -> Rows:
    """Convert a document, or a generator of frames, to rows; values are not checked.

    Args:
        content (Any): Decoded JSON or pickle, an array, or results of a program.
        path (Path): Path of the source, or a name for messages.
        size (int): Coordinates to read, 2 or 3, of people with points of both kinds.

    Returns:
        Rows: The people, with what the document states about the video.

    Raises:
        ValueError: If there are no people with keypoints.
    """
    if not isinstance(content, Iterable):
        raise ValueError(
            'keypoints must be an array, or a list of results of each frame, '
            f'got {type(content).__name__}'
        )
    if not hasattr(content, '__len__'):  # Results may hold images: they are dropped.
        content = [*map(plain, content)]
    header, content = _unwrap(content)
    if _are_numbers(content):
        rows = rtmlib.read_people(content)
        return rows or Rows(as_numbers(_TITLES[f'points_{size}d'], content))
    if has_columns(content):
        return _rows_of_columns(content, size)
    frames, names = _split_frames(content, size)
    for frame in frames:
        header |= _image_size(frame)
    times = _number(frames, path, names)
    pairs = [
        (number, person)
        for number, frame in zip(times.frame.tolist(), frames, strict=True)
        for person in people_of(frame)
    ]
    rows = gather(pairs, {'fps': times.rate or None, **header}, size)
    return replace(rows, times=None if 'fps' in header else times.passed)


def read_files(documents: Mapping[str, Any], folder: Path, size: int) -> Rows:
    """Convert the documents of a folder to rows.

    A file has all people of an image, one person of an image, or one person in all
    frames.

    Args:
        documents (Mapping[str, Any]): Decoded files by name.
        folder (Path): The folder, for messages.
        size (int): Preferred points, 2 or 3 coordinates.
    """
    header: dict = {}
    images: list[tuple[str, list[Person]]] = []
    pairs: list[tuple[int, Person]] = []
    patterns = (_PERSON_WORD, _PERSON_NUMBER)
    pattern = next((x for x in patterns if _numbers_people(x, [*documents])), None)
    for name, document in documents.items():
        info, content = _unwrap(document)
        if isinstance(content, list) and any(has_any(x, _PEOPLE) for x in content):
            if len(content) > 1:
                raise ValueError(
                    f'{name} holds a whole clip: give the file instead of the folder, '
                    'which must hold one file per image or per person'
                )
            [content] = content  # ComfyUI writes a list of one image.
        header = header or info | _image_size(content)
        people = people_of(content)
        if pattern and (match := pattern.search(name)):
            people = [person | {'track_id': int(match[1])} for person in people]
            name = pattern.sub('', name, count=1)
            if len(people) > 1:  # one person in all frames
                pairs += zip(_number(people, folder).frame, people, strict=True)
                continue
        images.append((name, people))
    numbers = frames_of([name for name, _ in images], folder)
    pairs += [
        (number, person)
        for number, (_, people) in zip(numbers, images, strict=True)
        for person in people
    ]
    return gather(pairs, header, size)


def _numbers_people(pattern: re.Pattern[str], names: Sequence[str]) -> bool:
    """Return whether a pattern finds the number of a person in each name."""
    people = [x[1] for name in names if (x := pattern.search(name))]
    labels = {pattern.sub('', name, count=1) for name in names}
    return len(people) == len(names) and (
        pattern is _PERSON_WORD or len({*people}) < len(labels) < len(names)
    )


# --- arrays ---------------------------------------------------------------------------


def _are_numbers(content: Any) -> bool:
    """Return whether a document is an array, or lists of numbers or arrays."""
    first = first_of(content)
    if first is None:  # a missing number, unless it stands for an empty frame
        return isinstance(content, list) and content[:1] != [None]
    return isinstance(first, int | float) or hasattr(first, 'dtype')


def columns_of(names: Sequence[str]) -> list[str]:
    """Choose the arrays of a file that are read, if some of them have points.

    >>> columns_of(['keypoints', 'frame_idx', 'images'])
    ['keypoints', 'frame_idx']
    """
    has_points = any(map(_names_points, names))
    return [x for x in names if has_points and _column(x) in (*_COLUMNS, *_FIELDS)]


def has_columns(content: Any) -> bool:
    """Return whether a value is a dict with points of many frames or people."""
    return isinstance(content, Mapping) and any(
        depth_of(plain(value)) > 2
        for name, value in content.items()
        if _names_points(name)
    )


def _column(name: str) -> str:
    """Return the field, 'frame' or 'track' that the name of an array spells."""
    for column, pattern in (('frame', FRAME), ('track', TRACK)):
        if pattern.fullmatch(spell(name)):
            return column
    return _key_of(name).field


def _rows_of_columns(content: Mapping[str, Any], size: int) -> Rows:
    """Convert arrays by name, of rows (N, ...) or frames and people (T, P, ...)."""
    columns = {_column(str(name)): x for name, x in content.items()}
    arrays = {
        x: as_numbers(_TITLES.get(x, x), columns.pop(x))
        for x in _FIELDS
        if x in columns
    }
    if 'points' in arrays:
        points = arrays.pop('points')
        if points.ndim == 4:  # People are the first axis.
            points = points.swapaxes(0, 1)
        arrays[f'points_{points.shape[-1]}d'] = points
    kinds = f'points_{size}d', f'points_{5 - size}d'
    rows = _to_rows(arrays, columns, next(x for x in kinds if x in arrays))
    if rows.root_3d is not None:
        rows.root_3d = rows.root_3d.reshape(*rows.points.shape[:-2], 3)
    frame = columns.get('frame')
    are_images = depth_of(frame) > 2
    track = columns.get('track')
    return replace(rows, frame=None if are_images else frame, track=track)


# --- frames ---------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """Convert tensors, arrays of objects, results of packages to lists and dicts."""
    is_tensor = hasattr(value, 'requires_grad')
    if is_tensor or (isinstance(value, np.ndarray) and value.dtype.hasobject):
        return value.tolist()
    return mediapipe.plain(ultralytics.plain(value))


def _unwrap(content: Any) -> tuple[dict, Any]:
    """Return the header of a document, and its frames or people."""
    content = plain(content)
    content = easy_vitpose.to_mmpose(content) or content
    key = next((x for x in _FRAMES if has_any(content, (x,))), None)
    if key is None or has_columns(content):
        return {}, content
    parts = [x for x in content.values() if isinstance(x, Mapping)]
    parts += [y for x in parts for y in x.values() if isinstance(y, Mapping)]
    header = {name: x for part in (*parts, content) for name, x in part.items()}
    return header, plain(content[key])


def _split_frames(content: Any, size: int) -> tuple[list, list[str] | None]:
    """Return the frames of a document, and the names of their images or None."""
    is_frame = _is_person(content) or has_any(content, _PEOPLE)
    if isinstance(content, Mapping) and not is_frame:
        by_name = {str(name): frame for name, frame in content.items()}
        names = sorted(by_name, key=natural_key)
        return [by_name[name] for name in names], names
    if is_frame or mediapipe.are_landmarks(content):
        content = [content]
    frames = [*map(plain, content)]
    are_people = all(
        has_any(frame, ('keypoints',)) and depth_of(frame['keypoints']) < 3
        for frame in frames
    )
    if size == 2 and are_people and not _stated(frames, FRAME, _IMAGE, TIME):
        frames = [frames]  # MMPose's inferencer lists the people of an image
    return frames, None


def _image_size(frame: Any) -> dict[str, Any]:
    """Return the width and height that a frame states, if it does."""
    if has_any(frame, ('orig_shape',)):
        return dict(zip(('height', 'width'), frame['orig_shape'], strict=True))
    return {x: frame[key] for key, x in openpose.SIZE.items() if has_any(frame, (key,))}


def _number(frames: Sequence[Any], path: Path, names: Sequence | None = None) -> Times:
    """Number frames by names of images, stated numbers or times, else consecutively."""
    numbers = None
    stated = _stated(frames, FRAME, _IMAGE)
    labels = stated[1] if names is None and stated else names
    if labels is not None:
        are_names = all(isinstance(label, str) for label in labels)
        numbers = np.asarray(
            frames_of(labels, path) if are_names else as_numbers('frames', labels)
        )
    stated = _stated(frames, TIME)
    times = read_times(str(path), *stated, numbers, True) if stated else None
    return times or Times(np.arange(len(frames)) if numbers is None else numbers)


def _stated(frames: Sequence, *patterns: re.Pattern) -> tuple[str, list] | None:
    """Return the first key, spelled, that a pattern allows, and its values.

    All frames have the key. Earlier patterns have priority.
    """
    first = frames[0] if frames and isinstance(frames[0], Mapping) else {}
    for pattern, (key, value) in product(patterns, first.items()):
        is_label = pattern.fullmatch(spell(key)) and isinstance(value, str | Real)
        if is_label and all(has_any(frame, (key,)) for frame in frames):
            return spell(key), [frame[key] for frame in frames]
    return None


# --- people ---------------------------------------------------------------------------


def _key_of(name: object) -> Key:
    """Return the key that a name spells; the field of unknown names is the name."""
    return _EXACT.get(str(name)) or _SPELLED.get(spell(name)) or Key(str(name))


def _names_points(name: object) -> bool:
    return _key_of(name).field in ('points', *_POINTS)


def _items(person: Any) -> list[tuple[str, Any]]:
    """List the keys and values of a person, those of nested parts first."""
    parts = (*map(person.get, _PARTS), person) if isinstance(person, Mapping) else ()
    return [
        item for part in parts if isinstance(part, Mapping) for item in part.items()
    ]


def _is_person(value: Any) -> bool:
    return any(_names_points(name) for name, _ in _items(value))


def people_of(frame: Any) -> list[Person]:
    """Return the people of a frame, fields by name.

    Args:
        frame (Any): A list of people, a dict with such a list, one person, a dict of
            people by track ID, or a dict of arrays of all people.

    Raises:
        ValueError: If a person has no keypoints.

    >>> people_of({'people': {'7': {'keypoints': [[612, 110]]}}})
    [{'track_id': '7', 'points_2d': [[612, 110]]}]
    """
    people = plain(frame)
    if isinstance(people, Mapping) and not _is_person(people):
        key = next((x for x in _PEOPLE if x in people), None)
        people = people if key is None else plain(people[key])
    if isinstance(people, Mapping) and not _is_person(people):  # people by track ID
        people = [{'track_id': k, **x} for k, x in people.items() if _is_person(x)]
    if not isinstance(people, list | tuple) or mediapipe.are_landmarks(people):
        people = [people]
    read = [_read_person(plain(person)) for person in people if person is not None]
    return [person for arrays in read for person in _split(arrays)]


def _read_person(person: Any) -> Person:
    """Read a person, or arrays of people (P, ...)."""
    if mediapipe.are_landmarks(person):
        person = {'landmarks': person}
    if not _is_person(person):
        raise ValueError(
            f'has a person without keypoints: expected a key such as {_EXPECTED}'
        )
    values: Person = {}
    for name, value in _items(person):
        key = _key_of(name)
        value = plain(value)
        if key.field == 'bboxes' and isinstance(value, Mapping):  # body and hands
            value = value.get('body')
        if key.field in _POINTS and isinstance(value, Mapping):  # points by joint
            values['joint_names'] = [*value]
            value = [*value.values()]
        if key.num_points is not None:
            value = value[: key.num_points]
        fields = {**key.stated, key.field: value}
        if key.field in _POINTS and mediapipe.is_landmark(first_of(value)):
            fields = {**key.stated, **mediapipe.read_landmarks(value, key.field)}
        for field, x in fields.items():
            if x is not None:
                values.setdefault(field, x)
    return values


def _split(values: Person) -> list[Person]:
    """Return each person of arrays (P, ...) by name."""
    counts = {len(values[x]) for x in _POINTS if depth_of(values.get(x)) > 2}
    if not counts:
        return [values]
    arrays = {k: x for k, x in values.items() if depth_of(x) and len(x) in counts}
    others = {k: x for k, x in values.items() if k not in arrays}
    return [
        others | {k: x[row] for k, x in arrays.items() if row < len(x)}
        for row in range(max(counts))  # MediaPipe may have fewer of one kind
    ]


def gather(
    pairs: Sequence[tuple[int, Person]],
    header: Mapping[str, Any],
    size: int = 2,
) -> Rows:
    """Stack people, each with a frame number, into rows.

    Args:
        pairs (Sequence): Frame number and person. What a person lacks is NaN.
        header (Mapping): What the source states for all people.
        size (int): Preferred points, 2 or 3 coordinates. People without them are left
            out, unless nobody has them.

    Returns:
        Rows: N rows in the order of the pairs.

    Raises:
        ValueError: If nobody has points.

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
    stacks = {field: _stack(people, field) for field in _FIELDS}
    arrays = {field: array for field, array in stacks.items() if array is not None}
    points = arrays[kind]
    if points.ndim == 2 and points.shape[1] % 3 == 0:  # COCO and OpenPose: x, y, score
        arrays[kind] = points.reshape(len(people), -1, 3)
    elif points.ndim == 2 and points.shape[1] % 4 == 0 and kind == 'points_3d':
        arrays[kind] = points.reshape(len(people), -1, 4)  # Panoptic: x, y, z, score
    if 'bboxes' in arrays:  # MMPose writes them inside another list.
        arrays['bboxes'] = arrays['bboxes'].reshape(len(people), -1)[:, :4]
    return replace(
        _to_rows(arrays, {'joint_names': people[0].get('joint_names'), **header}, kind),
        frame=frame,
        track=_stack_tracks(people, frame),
        axes=people[0].get('axes'),
        is_normalized=any('are_shares' in person for person in people)
        and bool(np.nanmax(np.abs(points[..., :2])) < _LARGEST_SHARE),
    )


def _stack(people: Sequence[Person], field: str) -> np.ndarray | None:
    """Stack a field of N people, (N, ...), with NaN where it is missing, or None."""
    values = [person.get(field) for person in people]
    known = next((value for value in values if value is not None), None)
    if known is None:
        return None
    title = _TITLES.get(field, field)
    lost = np.full(as_numbers(title, known).shape, np.nan).tolist()
    return as_numbers(title, [lost if x is None else x for x in values])


def _to_rows(
    arrays: Mapping[str, np.ndarray], header: Mapping[str, Any], kind: str
) -> Rows:
    """Make rows of arrays by field, and of a header; ``kind`` is the field of points.

    Points are (N, K, C), or (T, P, K, C) of columns.
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
    """Separate scores (..., K) of another kind than confidence from points (..., K, C).

    These are MediaPipe's visibility after the depth, and COCO's flags: 0 is not
    labeled, 1 is labeled but occluded, 2 is visible.
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


def single(header: Mapping[str, Any], key: str) -> float | None:
    """Return a number of a header; None if it has no such key.

    >>> single({'fps': [25]}, 'fps')
    25.0
    """
    value = header.get(key)
    return None if value is None else as_number(key, value)


def _stack_tracks(people: Sequence[Person], frames: np.ndarray) -> np.ndarray | None:
    """Stack the track IDs of people, (N,), as they are; None if there are none.

    Keys other than MMPose's may number boxes instead. They are not track IDs if one
    occurs twice in a frame, or, for ``id``, if none occurs in two frames.
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
