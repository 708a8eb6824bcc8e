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

from mmhot.io.arrays import as_numbers, depth_of, first_of, has_any
from mmhot.io.readers import easy_vitpose, openpose, rtmlib, ultralytics
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
    FIELDS,
    TITLES,
    Person,
    gather,
    is_frame,
    key_of,
    lists_people,
    names_points,
    people_of,
    to_plain,
    to_rows,
)
from mmhot.structures.rows import Rows

# Keys of arrays of many frames that are read beside the fields of people
_COLUMNS = ('frame', 'track', 'width', 'height', 'fps', 'skeleton', 'joint_names')
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
        to_plain(content) if is_sized else [*map(to_plain, content)]
    )
    if _are_numbers(content):
        rows = rtmlib.read_people(content)
        return rows or Rows(as_numbers(TITLES[f'points_{size}d'], content))
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
        info, content = _unwrap(to_plain(document))
        lists_images = isinstance(content, list) and any(map(lists_people, content))
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
        x: as_numbers(TITLES.get(x, x), columns.pop(x)) for x in FIELDS if x in columns
    }
    if 'points' in arrays:
        points = arrays.pop('points')
        if points.ndim == 4:  # People are the first axis.
            points = points.swapaxes(0, 1)
        arrays[f'points_{points.shape[-1]}d'] = points
    kinds = f'points_{size}d', f'points_{5 - size}d'
    rows = to_rows(arrays, columns, next(x for x in kinds if x in arrays))
    if rows.root_3d is not None:
        rows.root_3d = rows.root_3d.reshape(*rows.points.shape[:-2], 3)
    frame = columns.get('frame')
    are_images = depth_of(frame) > 2
    return replace(
        rows, frame=None if are_images else frame, track=columns.get('track')
    )


def _unwrap(content: object) -> tuple[dict, Any]:
    """Return the header of a document, and its frames or people."""
    content = easy_vitpose.to_mmpose(content) or content
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
