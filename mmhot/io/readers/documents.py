"""Documents of people: frames, folders of images, arrays of many frames.

A document is a list of frames, or a dict of frames by image. Both may be the value of a
key, beside a header. Arrays of many frames are a dict by name, or only the points.

    >>> frame = {'frame_id': 7, 'instances': [{'keypoints': [[612, 110]], 'id': 3}]}
    >>> rows = read_document({'fps': 30, 'frames': [frame]}, Path('walk.json'), size=2)
    >>> rows.points.tolist(), rows.frame, rows.fps
    ([[[612.0, 110.0]]], array([7.]), 30.0)
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from numbers import Real
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from mmhot.io.arrays import as_number, as_numbers, depth_of, first_of, has_any
from mmhot.io.readers import (
    easy_vitpose,
    mediapipe,
    mmpose,
    openpose,
    rtmlib,
    ultralytics,
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
from mmhot.io.readers.keys import spell
from mmhot.io.readers.people import (
    EXPECTED,
    FIELDS,
    PEOPLE,
    Person,
    is_frame,
    key_of,
    names_points,
    people_of,
)
from mmhot.structures.rows import Rows, number_tracks

# Keys of arrays of many frames that are read beside the fields of people
_COLUMNS = ('frame', 'track', 'width', 'height', 'fps', 'skeleton', 'joint_names')
# Keys of track IDs: first MMPose's, which are also ours, then other tools'
_TRACKS = (*mmpose.TRACKS, 'person_id', 'tracker_id', 'obj_id', 'idx', 'id')
# Names of the points in messages
_TITLES = {'points_3d': 'keypoints_3d', 'points_2d': 'keypoints'}
_LARGEST_SHARE = 10  # image sizes; landmarks with larger coordinates are pixels
# Keys of the frames of a document
_FRAMES = ('instance_info', 'frames', 'results', 'predictions', 'data')
# Keys of the names of images, spelled alike
_IMAGE = re.compile(r'(frame|image|img|file)(name|path|id)?')
# Numbers of people in names of files: after a word, or after a frame number
_PERSON_WORD = re.compile(
    r'[ ._-]?(?:person|people|track|subject|id|obj)[ _-]?(\d+)', re.I
)
_PERSON_NUMBER = re.compile(r'(?<=\d)[ _-](\d{1,2})(?=\D*$)')


def read_document(content: object, path: Path, size: int) -> Rows:
    """Convert a document, or a generator of frames, to rows.

    Args:
        content (object): Decoded JSON or pickle, an array, or results of a program.
        path (Path): Path of the source, or a name for messages.
        size (int): Coordinates of the points to read, 2 or 3, if people have both.

    Returns:
        Rows: The people, with what the document states about the video. Values are not
        checked.

    Raises:
        ValueError: If there are no people with keypoints.
    """
    if isinstance(content, np.ndarray) and not content.dtype.hasobject:
        return Rows(content)
    if ultralytics.is_result(content):  # the only frame
        content = [content]
    if not isinstance(content, Iterable):
        raise ValueError(
            'keypoints must be an array, or a list with the result of each frame, '
            f'got {type(content).__name__}'
        )
    is_sized = hasattr(content, '__len__')  # Keep no images of results of a generator.
    header, content = _unwrap(
        _to_plain(content) if is_sized else [*map(_to_plain, content)]
    )
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


def _to_plain(content: object) -> Any:
    """Convert a document to dicts, lists, tuples, numbers, text and arrays of numbers.

    Tensors, masked arrays, which may lack values, arrays of objects and results of
    packages become lists and dicts.

    >>> _to_plain({'fps': np.array(25.0), 'boxes': np.array([None, {'id': 1}])})
    {'fps': 25.0, 'boxes': [None, {'id': 1}]}
    """
    if (
        isinstance(content, np.ndarray)
        and not isinstance(content, np.ma.MaskedArray)
        and content.ndim > 0
        and not content.dtype.hasobject
    ):
        return content
    if hasattr(content, 'tolist'):
        content = content.tolist()
    content = mediapipe.plain(ultralytics.plain(content))
    if isinstance(content, Mapping):
        plain = {name: _to_plain(value) for name, value in content.items()}
        return easy_vitpose.to_mmpose(plain) or plain
    if isinstance(content, list | tuple) and not isinstance(first_of(content), Real):
        parts = [*map(_to_plain, content)]
        return tuple(parts) if isinstance(content, tuple) else parts
    return content


def read_files(documents: Mapping[str, object], folder: Path, size: int) -> Rows:
    """Convert the documents of a folder to rows.

    A file has all people of an image, one person of an image, or one person in all
    frames.

    Args:
        documents (Mapping[str, object]): Decoded files by name.
        folder (Path): The folder, for messages.
        size (int): Coordinates of the points to read, 2 or 3, if people have both.

    Returns:
        Rows: The people. Values are not checked.

    Raises:
        ValueError: If there are no people with keypoints, or a file has several frames
            of several people.
    """
    header: dict = {}
    images: list[tuple[str, list[Person]]] = []
    pairs: list[tuple[int, Person]] = []
    patterns = (_PERSON_WORD, _PERSON_NUMBER)
    pattern = next((x for x in patterns if _numbers_people(x, [*documents])), None)
    for name, document in documents.items():
        info, content = _unwrap(_to_plain(document))
        lists_images = isinstance(content, list) and any(
            has_any(x, PEOPLE) for x in content
        )
        # A file of one person in all frames may state its rate, too.
        has_rate = not pattern and has_columns(content) and 'fps' in content
        if has_rate or (lists_images and len(content) > 1):
            raise ValueError(
                f'{name} holds a whole clip: give the file instead of the folder, '
                'which must hold one file per image or per person'
            )
        if lists_images:
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


def _are_numbers(content: object) -> bool:
    """Return whether a document is an array, or lists of numbers or arrays."""
    first = first_of(content)
    if first is None:  # a missing number, unless it stands for an empty frame
        return isinstance(content, list) and content[:1] != [None]
    return isinstance(first, int | float) or hasattr(first, 'dtype')


def columns_of(names: Sequence[str]) -> list[str]:
    """Choose which arrays of a file to read; none if no array has points.

    >>> columns_of(['keypoints', 'frame_idx', 'images'])
    ['keypoints', 'frame_idx']
    """
    has_points = any(map(names_points, names))
    return [x for x in names if has_points and _column(x) in (*_COLUMNS, *FIELDS)]


def has_columns(content: object) -> TypeGuard[Mapping[str, Any]]:
    """Return whether a value is a dict with an array of points, (N, K, C) or more."""
    return isinstance(content, Mapping) and any(
        depth_of(value) > 2 for name, value in content.items() if names_points(name)
    )


def _column(name: str) -> str:
    """Return the field, 'frame' or 'track' that the name of an array spells."""
    for column, pattern in (('frame', FRAME), ('track', TRACK)):
        if pattern.fullmatch(spell(name)):
            return column
    return key_of(name).field


def _rows_of_columns(content: Mapping[str, Any], size: int) -> Rows:
    """Convert arrays by name, of rows (N, ...) or frames and people (T, P, ...)."""
    columns = {_column(str(name)): x for name, x in content.items()}
    arrays = {
        x: as_numbers(_TITLES.get(x, x), columns.pop(x)) for x in FIELDS if x in columns
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
    return replace(
        rows, frame=None if are_images else frame, track=columns.get('track')
    )


def _unwrap(content: object) -> tuple[dict, Any]:
    """Return the header of a document, and its frames or people."""
    named = content if isinstance(content, Mapping) else {}
    key = next((x for x in _FRAMES if x in named), None)
    if key is None or has_columns(content):
        return {}, content
    parts = [x for x in named.values() if isinstance(x, Mapping)]
    parts += [y for x in parts for y in x.values() if isinstance(y, Mapping)]
    header = {name: x for part in (*parts, named) for name, x in part.items()}
    return header, named[key]


def _split_frames(content: Any, size: int) -> tuple[list, list[str] | None]:
    """Return the frames of a document, and the names of their images or None."""
    if is_frame(content):
        content = [content]
    elif isinstance(content, Mapping):
        by_name = {str(name): frame for name, frame in content.items()}
        names = sorted(by_name, key=natural_key)
        return [by_name[name] for name in names], names
    frames = [*content]
    are_people = all(
        has_any(frame, ('keypoints',)) and depth_of(frame['keypoints']) < 3
        for frame in frames
    )
    if size == 2 and are_people and not _stated(frames, FRAME, _IMAGE, TIME):
        frames = [frames]  # MMPose's inferencer lists the people of an image
    return frames, None


def _image_size(frame: object) -> dict[str, object]:
    """Return the width and height that a frame states, if it does."""
    stated = frame if isinstance(frame, Mapping) else {}
    if 'orig_shape' in stated:
        return dict(zip(('height', 'width'), stated['orig_shape'], strict=True))
    return {x: stated[key] for key, x in openpose.SIZE.items() if key in stated}


def _number(frames: Sequence, path: Path, names: Sequence | None = None) -> Times:
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
            f'has no people with keypoints: expected a key such as {EXPECTED}'
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
        _to_rows(arrays, header, kind),
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
    title = _TITLES.get(field, field)
    lost = np.full(as_numbers(title, known).shape, np.nan).tolist()
    return as_numbers(title, [lost if x is None else x for x in values])


def _to_rows(
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
    width, height, fps = (single(header, x) for x in ('width', 'height', 'fps'))
    focal = arrays.get('focal_length')
    return Rows(
        points,
        scores,
        bboxes=arrays.get('bboxes'),
        root_3d=arrays.get('root_3d'),
        keypoints_2d=pixels,
        width=width,
        height=height,
        fps=fps,
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
