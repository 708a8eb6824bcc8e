"""People of frames as programs write them: nested lists in JSON, pickles and memory.

A document is a list of frames, or a dict of them by image; a frame is a list of people,
a dict with such a list, one person, or a dict of arrays of all people; a person is a
dict with the keys that :data:`_KEYS` lists. The programs are MMPose, OpenPose, SAM 3D
Body, EasyMocap, CMU Panoptic, and all in :mod:`mmhot.io.readers.results`.
"""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from mmhot.io.arrays import as_number, as_numbers, depth_of, first_of, has_any
from mmhot.io.readers import results
from mmhot.io.readers.frame_numbers import (
    FRAME,
    TIME,
    TRACK,
    Times,
    frames_of,
    natural_key,
    read_times,
)
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.rows import Rows, number_tracks

_LOGGER = logging.getLogger(__name__)
# What a person may have, by keys in lower case without underscores.
_LANDMARKS = 'worldlandmarks', 'poseworldlandmarks', 'landmarks', 'poselandmarks'
_KEYS = {
    'points_3d': (
        *('predkeypoints3d', 'keypoints3d', 'joints3d', 'joints', 'jtr', 'joints19'),
        *_LANDMARKS[:2],
    ),
    'points': ('reconstruction',),
    'points_2d': (
        *('keypoints', 'posekeypoints2d', 'predkeypoints2d', 'keypoints2d'),
        *_LANDMARKS[2:],
    ),
    'scores': ('scores', 'keypointscores'),
    'root_3d': ('predcamt', 'root3d', 'translation'),
    'focal_length': ('focallength',),
    'bboxes': ('bbox', 'bboxxyxy'),
}
_CANONICAL = {spelled: key for key, names in _KEYS.items() for spelled in names}
_TITLES = {'points_3d': 'keypoints_3d', 'points_2d': 'keypoints'}
_POINT_KEYS = 'points_2d', 'points_3d'
_POINTS = {*_KEYS['points_3d'], *_KEYS['points_2d'], *_KEYS['points']}
_COLUMNS = 'frame', 'track', 'width', 'height', 'fps', 'skeleton', 'joint_names'
_EXPECTED = 'pred_keypoints_3d, keypoints_3d, keypoints or pose_landmarks'
# Keys of a document's frames, of the people of a frame, and of a person's points.
_FRAMES = 'instance_info', 'frames', 'results', 'predictions', 'data'
_PEOPLE = 'instances', 'people', 'persons', 'outputs', 'detections', 'humans', 'bodies'
_NESTED = 'skeleton', 'pose', 'camera'
_STATED: dict[str, dict[str, Any]] = {
    'keypoints3d': {'axes': 'world'},  # EasyMocap's key
    'pred_keypoints_3d': {'axes': 'camera'},
    'joints19': {'joint_names': get_skeleton('panoptic-19').joints},
}
_CANVAS = {'canvas_width': 'width', 'canvas_height': 'height'}  # ComfyUI's keys
# Keys of names of images, in lower case without underscores.
_IMAGE = re.compile(r'(frame|image|img|file)(name|path|id)?')
# Numbers of people in names of files: after a word, or after a frame number.
_OF_PEOPLE = (
    re.compile(r'[ ._-]?(?:person|people|track|subject|id|obj)[ _-]?(\d+)', re.I),
    re.compile(r'(?<=\d)[ _-](\d{1,2})(?=\D*$)'),
)
# Keys of track IDs: first MMPose's and our own, then other tools', such as AlphaPose's.
_MMPOSE_KEYS = ('track_id', 'instance_id')
_TRACK_KEYS = (*_MMPOSE_KEYS, 'person_id', 'tracker_id', 'obj_id', 'idx', 'id')
# Skeletons of OpenPose and EasyMocap; their files do not name the joints.
_OPENPOSE = {25: 'openpose-25', 18: 'openpose-18'}
_BODY_25 = 25  # EasyMocap's body comes before hands and face
_LARGEST_SHARE = 10  # image sizes; landmarks with larger coordinates are pixels


def read_people(content: Any, path: Path, size: int) -> Rows:
    """Convert a document, or a generator of frames, to rows; values are not checked.

    If people have 2D and 3D points, ``size`` (2 or 3) decides which are read.
    """
    if results.is_result(content):
        content = [content]
    elif not isinstance(content, Iterable):
        kind = type(content).__name__
        raise ValueError(f'keypoints must be an array of numbers, got {kind}')
    elif not hasattr(content, '__len__'):  # results may hold images
        content = [*map(results.plain, content)]
    header, content = _unwrap(content)
    first = first_of(content)
    is_lost = first is None and isinstance(content, list) and content[:1] != [None]
    if isinstance(first, int | float) or hasattr(first, 'dtype') or is_lost:
        stacked = results.stack_people(content)
        stacked = stacked or (as_numbers(content, _TITLES[f'points_{size}d']), None)
        return Rows(*stacked)
    if has_columns(content):
        return _rows_of_columns(content, size)
    labels: Sequence | None = None
    is_frame = _is_person(content) or has_any(content, _PEOPLE)
    if isinstance(content, Mapping) and not is_frame:  # frames by image
        by_name = {str(key): frame for key, frame in content.items()}
        labels = names = sorted(by_name, key=natural_key)
        frames = [by_name[name] for name in names]
    else:
        frames = [content] if is_frame or results.is_landmarks(content) else content
        frames = [*map(results.plain, frames)]
        are_people = all(
            has_any(frame, ('keypoints',)) and depth_of(frame['keypoints']) < 3
            for frame in frames
        )
        if size == 2 and are_people and not _stated(frames, FRAME, _IMAGE, TIME):
            frames = [frames]  # MMPose's instances of an image
    for frame in frames:
        if has_any(frame, ('orig_shape',)):
            header |= zip(('height', 'width'), frame['orig_shape'], strict=True)
        header |= {_CANVAS[x]: frame[x] for x in _CANVAS if has_any(frame, (x,))}
    times = _number(frames, path, labels)
    pairs = [
        (number, person)
        for number, frame in zip(times.frame.tolist(), frames, strict=True)
        for person in people_of(frame)
    ]
    rows = gather(pairs, {'fps': times.rate or None, **header}, size)
    return replace(rows, times=None if 'fps' in header else times.passed)


def columns_of(names: Sequence[str]) -> list[str]:
    """Return the names of arrays that are read, if some are points; else none."""
    has_points = any(_spell(name) in _POINTS for name in names)
    return [x for x in names if has_points and _column(x) in (*_COLUMNS, *_KEYS)]


def has_columns(content: Any) -> bool:
    """Return whether a dict has the points of many frames, or of many people."""
    return isinstance(content, Mapping) and any(
        depth_of(results.plain(value)) > 2
        for name, value in content.items()
        if _spell(name) in _POINTS
    )


def _rows_of_columns(content: Mapping[str, Any], size: int) -> Rows:
    """Convert arrays by name, of rows or of frames and people, to rows."""
    columns = {_column(key): x for key, x in content.items()}
    arrays = {
        x: as_numbers(columns.pop(x), _TITLES.get(x, x)) for x in _KEYS if x in columns
    }
    if 'points' in arrays:
        points = arrays.pop('points')
        # People are the first axis.
        points = points.swapaxes(0, 1) if points.ndim == 4 else points
        arrays[f'points_{points.shape[-1]}d'] = points
    kinds = f'points_{size}d', f'points_{5 - size}d'
    rows = _to_rows(arrays, columns, next(x for x in kinds if x in arrays))
    roots = rows.root_3d
    if roots is not None:
        rows.root_3d = roots.reshape(*rows.points.shape[:-2], 3)
    frame = columns.get('frame')
    if frame is not None and np.ndim(frame) > 2:  # images
        frame = None
    return replace(rows, frame=frame, track=columns.get('track'))


def _to_rows(
    arrays: Mapping[str, np.ndarray], stated: Mapping[str, Any], kind: str
) -> Rows:
    """Make rows of points of a kind, other arrays of :data:`_KEYS`, and a header."""
    points, scores, pixels = arrays[kind], arrays.get('scores'), arrays.get('points_2d')
    if kind == 'points_2d':
        if points.shape[-1] == 4:  # x, y, depth, visibility
            points, scores = points[..., :2], points[..., 3]
        # 0 is not labeled, 1 is labeled but occluded, 2 is visible
        if points.shape[-1] == 3 and np.isin(points[..., 2], (0, 1, 2)).all():
            is_seen, points = points[..., 2] > 0, points[..., :2]
            if scores is None or scores.shape != is_seen.shape:
                scores = np.ones(is_seen.shape)
            scores = np.where(is_seen, scores, 0)
    names, table = stated.get('joint_names'), stated.get('keypoint_id2name')
    if names is None and table:
        names = [table[key] for key in sorted(table, key=natural_key)]
    skeleton, focal = stated.get('skeleton'), arrays.get('focal_length')
    if skeleton is None and names is None:
        skeleton = _OPENPOSE.get(points.shape[-2])
    return Rows(
        points,
        scores,
        bboxes=arrays.get('bboxes'),
        root_3d=arrays.get('root_3d'),
        keypoints_2d=pixels[..., :2] if pixels is not None and '3' in kind else None,
        width=single(stated, 'width'),
        height=single(stated, 'height'),
        fps=single(stated, 'fps'),
        focal_length=None if focal is None else float(np.nanmedian(focal)),
        skeleton=None if skeleton is None else str(skeleton),
        joint_names=None if names is None else tuple(map(str, np.ravel(names))),
    )


def read_files(documents: Mapping[str, Any], folder: Path, size: int) -> Rows:
    """Convert documents, by name of their files, to rows.

    A file has all people of an image, one person of an image, or one person in all
    frames.
    """
    header: dict = {}
    images: list[tuple[str, list[dict]]] = []
    pairs: list[tuple[int, dict]] = []
    pattern = next((x for x in _OF_PEOPLE if _numbers_people(x, [*documents])), None)
    for name, document in documents.items():
        info, content = _unwrap(document)
        if isinstance(content, list) and any(has_any(x, _PEOPLE) for x in content):
            if len(content) > 1:
                raise ValueError(
                    f'{name} holds a whole clip: give the file instead of the folder, '
                    'which must hold one file per image or per person'
                )
            [content] = content  # ComfyUI's list of one image
        info |= {y: content[x] for x, y in _CANVAS.items() if has_any(content, (x,))}
        header = header or info
        people = people_of(content)
        if pattern and (match := pattern.search(name)):
            people = [person | {'track_id': int(match[1])} for person in people]
            name = pattern.sub('', name, count=1)
            if len(people) > 1:
                pairs += zip(_number(people, folder).frame, people, strict=True)
                continue
        images.append((name, people))
    numbers = frames_of([label for label, _ in images], folder) if images else []
    for number, (_, people) in zip(numbers, images, strict=True):
        pairs += [(number, person) for person in people]
    return gather(pairs, header, size)


def _numbers_people(pattern: re.Pattern[str], names: Sequence[str]) -> bool:
    """Return whether a pattern finds the number of a person in each name."""
    people = [x[1] for name in names if (x := pattern.search(name))]
    labels = {pattern.sub('', name, count=1) for name in names}
    is_word = pattern is _OF_PEOPLE[0]
    return len(people) == len(names) and (
        is_word or len({*people}) < len(labels) < len(names)
    )


def _unwrap(content: Any) -> tuple[dict, Any]:
    """Return the header of a document, and its frames or people."""
    content = results.plain(content)
    content = results.frames_of_vitpose(content) or content
    key = next((x for x in _FRAMES if has_any(content, (x,))), None)
    if key is None or has_columns(content):
        return {}, content
    parts = [x for x in content.values() if isinstance(x, Mapping)]
    parts += [y for x in parts for y in x.values() if isinstance(y, Mapping)]
    header = {name: x for part in (*parts, content) for name, x in part.items()}
    return header, results.plain(content[key])


def _spell(key: object) -> str:
    return str(key).replace('_', '').lower()


def _items(person: Any) -> list[tuple[str, Any]]:
    """List keys and values of a person, first the ones nested in another key."""
    parts = (*map(person.get, _NESTED), person) if isinstance(person, Mapping) else ()
    return [
        item for part in parts if isinstance(part, Mapping) for item in part.items()
    ]


def _is_person(value: Any) -> bool:
    return any(_spell(key) in _POINTS for key, _ in _items(value))


def _column(key: object) -> str:
    """Return the key of :data:`_KEYS`, 'frame' or 'track' that a name spells."""
    spelled = _spell(key)
    for pattern, name in ((FRAME, 'frame'), (TRACK, 'track')):
        if pattern.fullmatch(spelled):
            return name
    return _CANONICAL.get(spelled, str(key))


def _stated(frames: Sequence, *patterns: re.Pattern) -> tuple[str, list] | None:
    """Return a key that all frames have, and its values, by the first pattern."""
    first = frames[0] if frames and isinstance(frames[0], Mapping) else {}
    for pattern in patterns:
        for key, value in first.items():
            is_label = pattern.fullmatch(_spell(key)) and isinstance(value, str | Real)
            if is_label and all(has_any(frame, (key,)) for frame in frames):
                return _spell(key), [frame[key] for frame in frames]
    return None


def _number(frames: Sequence[Any], path: Path, labels: Sequence | None = None) -> Times:
    """Number frames by labels, names or times; else they are consecutive."""
    numbers, stated = None, _stated(frames, FRAME, _IMAGE)
    labels = stated[1] if labels is None and stated else labels
    if labels is not None and all(isinstance(label, str) for label in labels):
        numbers = np.array(frames_of(labels, path))
    elif labels is not None:
        numbers = as_numbers(labels, 'frames')
    stated = _stated(frames, TIME)
    times = read_times(str(path), *stated, numbers, True) if stated else None
    return times or Times(np.arange(len(frames)) if numbers is None else numbers)


def people_of(frame: Any) -> list[dict[str, Any]]:
    """Return the people of a frame, with the keys of :data:`_KEYS` and others."""
    people = results.plain(frame)
    if isinstance(people, Mapping) and not _is_person(people):
        key = next((x for x in _PEOPLE if x in people), None)
        people = people if key is None else results.plain(people[key])
    if isinstance(people, Mapping) and not _is_person(people):  # people by track ID
        people = [{'track_id': k, **x} for k, x in people.items() if _is_person(x)]
    if not isinstance(people, list | tuple) or results.is_landmarks(people):
        people = [people]
    dicts = [
        _canonical(results.plain(person)) for person in people if person is not None
    ]
    return [person for values in dicts for person in _split(values)]


def _canonical(person: Any) -> dict[str, Any]:
    """Return a person, or arrays of people, with the keys of :data:`_KEYS`."""
    person = {'landmarks': person} if results.is_landmarks(person) else person
    if not _is_person(person):
        raise ValueError(f'has people without {_EXPECTED}')
    values: dict[str, Any] = {}
    for key, value in _items(person):
        name, value = _CANONICAL.get(_spell(key), key), results.plain(value)
        if name == 'bboxes' and isinstance(value, Mapping):  # boxes of body and hands
            value = value.get('body')
        if _spell(key) in _LANDMARKS[2:]:
            values['is_share'] = True
        if name in _POINT_KEYS and isinstance(value, Mapping):
            values['joint_names'], value = [*value], [*value.values()]
        if name in _POINT_KEYS and results.is_landmark(first_of(value)):
            value = results.coordinates(value)
            name = 'points_3d' if results.are_meters(value) else name
            values |= {'axes': 'camera'} if name == 'points_3d' else {'is_share': True}
        elif key == 'keypoints3d':
            value = value[:_BODY_25]
        values |= _STATED.get(key, {})
        if value is not None:
            values.setdefault(name, value)
    return values


def _split(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Return each person of arrays (P, ...) by name."""
    counts = {len(values[x]) for x in _POINT_KEYS if depth_of(values.get(x)) > 2}
    if not counts:
        return [values]
    arrays = {k: x for k, x in values.items() if depth_of(x) and len(x) in counts}
    others = {k: x for k, x in values.items() if k not in arrays}
    return [
        others | {k: x[row] for k, x in arrays.items() if row < len(x)}
        for row in range(max(counts))  # MediaPipe may have fewer of one kind
    ]


def gather(
    pairs: Sequence[tuple[int, Mapping[str, Any]]],
    header: Mapping[str, Any],
    size: int = 2,
) -> Rows:
    """Stack people, each with a frame number, into rows.

    Args:
        pairs (Sequence): Frame number and person; a person is a dict with the keys of
            ``_KEYS``. What a person lacks is NaN.
        header (Mapping): What the source states for all people.
        size (int): Preferred points, 2 or 3 dimensions.
    """
    for kind in (f'points_{size}d', f'points_{5 - size}d'):
        chosen = [x for x in pairs if len(x[1].get(kind, ()))]
        if chosen:
            break
    else:
        raise ValueError(f'holds no people with {_EXPECTED}')
    people, frame = [x for _, x in chosen], np.array([x for x, _ in chosen])
    arrays: dict[str, np.ndarray] = {}
    for name in _KEYS:
        values = [x.get(name) for x in people]
        stated = next((value for value in values if value is not None), None)
        if stated is not None:
            title = _TITLES.get(name, name)
            lost = np.full(as_numbers(stated, title).shape, np.nan).tolist()
            filled = [lost if value is None else value for value in values]
            arrays[name] = as_numbers(filled, title)
    points = arrays[kind]
    if points.ndim == 2 and points.shape[1] % 3 == 0:  # COCO and OpenPose: x, y, score
        arrays[kind] = points.reshape(len(people), -1, 3)
    elif points.ndim == 2 and points.shape[1] % 4 == 0 and kind == 'points_3d':
        arrays[kind] = points.reshape(len(people), -1, 4)  # Panoptic: x, y, z, score
    elif points.ndim != 3:
        text = 'K points, or triples x, y, score, of each person are expected'
        raise ValueError(f'keypoints are {points.shape[1:]}: {text}')
    if 'bboxes' in arrays:  # MMPose writes them inside another list
        arrays['bboxes'] = arrays['bboxes'].reshape(len(people), -1)[:, :4]
    return replace(
        _to_rows(arrays, {'joint_names': people[0].get('joint_names'), **header}, kind),
        frame=frame,
        track=_stack_tracks(people, frame),
        axes=people[0].get('axes'),
        is_normalized=any('is_share' in person for person in people)
        and bool(np.nanmax(np.abs(points[..., :2])) < _LARGEST_SHARE),
    )


def single(header: Mapping[str, Any], key: str) -> float | None:
    """Return a number of a header, or None."""
    value = header.get(key)
    return None if value is None else as_number(value, key)


def _stack_tracks(people: Sequence[Mapping], frames: np.ndarray) -> np.ndarray | None:
    """Stack the track IDs of people, (N,), as they are; None if there are none.

    Keys other than MMPose's may number boxes instead. They are no track IDs if one
    occurs twice in a frame, or, for ``id``, if none occurs in two frames.
    """
    for key in _TRACK_KEYS:
        ids = [np.ravel(person.get(key, [])).tolist() for person in people]
        values = [each[0] if each else None for each in ids]
        tracks, _ = number_tracks(values)
        pairs = zip(tracks.tolist(), frames.tolist(), strict=True)
        stated = [(track, frame) for track, frame in pairs if track >= 0]
        is_twice = len({*stated}) < len(stated)
        is_once = key == 'id' and len({x for x, _ in stated}) == len(stated)
        if stated and (key in _MMPOSE_KEYS or not (is_twice or is_once)):
            return np.array(values, object)
    return None
