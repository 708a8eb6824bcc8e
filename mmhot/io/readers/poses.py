"""Reader of 3D poses: of SAM 3D Body, MediaPipe, EasyMocap, arrays, our own files.

Frames are lists of people, each a dict whose keys :data:`_KEYS` lists.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mmhot.errors import ArgumentError, escape, naming, refuse_open_file, require_file
from mmhot.geometry.keypoint_arrays import check_image_size, to_numbers
from mmhot.io.arrays import (
    BLANK,
    SIGNATURES,
    as_number,
    as_numbers,
    load_arrays,
    load_json,
    start_of,
)
from mmhot.io.lifted import read_lifted
from mmhot.io.readers.frame_numbers import LARGEST_FRAME, natural_key, number_frames
from mmhot.io.readers.npz import check_count
from mmhot.io.readers.rows import stack_tracks
from mmhot.structures.clips import Clip3D, clip_name
from mmhot.structures.lens import DISTORTIONS

# What a person may have, by its names: of SAM 3D Body, of results, of EasyMocap.
_KEYS = {
    'keypoints_3d': ('pred_keypoints_3d', 'keypoints_3d', 'keypoints3d'),
    'root_3d': ('pred_cam_t', 'root_3d'),
    'keypoints_2d': ('pred_keypoints_2d', 'keypoints_2d'),
    'scores': ('scores', 'keypoint_scores'),
    'focal_length': ('focal_length',),
}
_POSES = _KEYS['keypoints_3d']
_OF_ALL = ('fps', 'width', 'height', 'skeleton', 'frame', 'track')
_OUR_OWN = ('joint_names', 'parents', 'root_3d')
_NUMPY, _PICKLE = b'\x93NUMPY', b'\x80'
_EXPECTED = (
    '3D poses as docs/migration.md lists them are expected; 2D keypoints are for '
    '`mmhot lift`'
)
# EasyMocap's body comes before hands and face.
_BODY_25 = 25
_MOST_PEOPLE = 100
_FARTHEST = 1e6  # meters


def read_poses(
    source: str | Path | np.ndarray | Iterable[object],
    *,
    skeleton: str | None = None,
    image_size: tuple[int, int] | None = None,
    fps: float | None = None,
    axes: str | None = None,
) -> Clip3D:
    """Read the 3D poses of a clip; the content decides which format it is.

    Args:
        source (str | Path | np.ndarray | Iterable): A file or folder; an array
            (:meth:`mmhot.Clip3D.from_arrays`), whose joints may have scores, or one of
            each frame; or one result of SAM 3D Body or MediaPipe for each frame.
        skeleton (str, optional): Joint order. By default the one with as many joints.
        image_size (tuple[int, int], optional): Width and height in pixels.
        fps (float, optional): Frames per second.
        axes (str, optional): One of ``GIVEN_AXES``. By default 'camera', or 'world' of
            EasyMocap's files.

    Returns:
        Clip3D: Track IDs are -1 where they are unknown. Files of mmhot are returned as
        they are.

    Raises:
        ValueError: If the source or an argument is invalid.
        OSError: If a file does not exist or cannot be read.
    """
    given = dict(skeleton=skeleton, image_size=image_size, fps=fps, given_axes=axes)
    refuse_open_file('source', source)
    path = Path(source) if isinstance(source, str | Path) else None
    if path is None:
        return _build(_content_of(source, image_size), 'poses', given)
    with naming(path):
        content = _load(path)
        if not isinstance(content, Clip3D):
            return _build(content, clip_name(path), given)
        for option, value in given.items():
            if value is not None:
                raise ArgumentError(f'{{{option}}} is stated by the file')
        return _check_own(content)


def _check_own(clip: Clip3D) -> Clip3D:
    """Check a file of our own, which anyone may have changed.

    Raises:
        ValueError: If a value is none that mmhot writes; names it.
    """
    clip.checked()
    check_image_size((clip.width, clip.height))
    frame, track, count = clip.frame, clip.track, len(clip.joint_names)
    steps, path = np.diff(frame), clip.camera_path
    later = (steps > 0) | ((steps == 0) & (np.diff(track) > 0))
    is_right = {
        'name': Path(clip.name).name == clip.name and clip.name.strip('.') != '',
        'axes': clip.axes in ('camera', 'z-up', 'world'),
        'unit': clip.unit == 'm',
        'joint_names': len(set(clip.joint_names)) == count > 0,
        'parents': len(clip.parents) == count and _is_tree(clip.parents),
        'frame': later.all() and ((frame >= 0) & (frame <= LARGEST_FRAME)).all(),
        'keypoints_3d': (np.abs(clip.keypoints_3d) < _FARTHEST).all(),
        'root_3d': not (np.abs(clip.root_3d) >= _FARTHEST).any(),
        'scores': (clip.scores >= 0).all() and (clip.keypoint_scores_3d >= 0).all(),
        'focal_length': clip.focal_length >= 0,
        'intrinsics': len(clip.intrinsics) in (0, *(4 + x for x in DISTORTIONS)),
        'cuts': min(clip.cuts, default=0) >= 0,
        'camera_path': path is None
        or (
            (path.ndim, path.shape[-1]) == (2, 4)
            and len(path) > max(frame, default=0)
            and np.isfinite(path).all()
            and (path[:, 3] > 0).all()
        ),
    }
    for name, is_usual in is_right.items():
        if not is_usual:
            raise ValueError(f'{name!r} has a value that mmhot does not write')
    return replace(clip, name=escape(clip.name, '_'))


def _is_tree(parents: Sequence[int]) -> bool:
    """Return whether each joint leads to a root, -1, by the indices of parents."""
    found = np.arange(len(parents))
    table = np.append(parents, -1)  # the parent of -1 is itself
    if not ((table >= -1) & (table < len(parents))).all():
        return False
    for _ in parents:
        found = table[found]
    return bool((found == -1).all())


def _load(path: Path) -> Any:
    """Return a clip of our own, an array, columns of arrays, or frames of people."""
    if path.is_dir():
        files = [x for x in path.glob('[!.]*.json') if x.is_file()]
        if not files:
            raise ValueError('is a folder without .json files')
        return {file.stem: load_json(require_file(file)) for file in files}
    start = start_of(path)
    if start.startswith(_NUMPY):
        return _load_array(path)
    is_archive = start.startswith(SIGNATURES)
    if is_archive:
        if len(load_arrays(path, _OUR_OWN)) == len(_OUR_OWN):
            return read_lifted(path)
        names = [*(x for keys in _KEYS.values() for x in keys), *_OF_ALL]
        with suppress(ValueError):  # objects
            columns = load_arrays(path, names)
            if not columns.keys().isdisjoint(_POSES):
                return columns
    elif not start.startswith(_PICKLE):
        return _load_json(path, start)
    from mmhot.io.pickles import load_objects  # imports PyTorch

    content = load_objects(path)
    if not is_archive:
        return content
    if len(content) != 1:
        raise ValueError(f'has no array {" or ".join(_POSES)}: {_EXPECTED}')
    return next(iter(content.values()))


def _load_json(path: Path, start: bytes) -> Any:
    if not start:
        raise ValueError('is empty')
    if not start.lstrip(BLANK).startswith((b'[', b'{')):
        raise ValueError(f'is neither .npy, .npz, JSON nor a pickle: {_EXPECTED}')
    document = load_json(path)
    is_own = isinstance(document, dict) and 'instance_info' in document
    return read_lifted(path) if is_own else document


def _load_array(path: Path) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode='r', allow_pickle=False)
    except ValueError as error:
        raise ValueError(
            'is damaged, or holds objects: save results by pickle.dump or np.savez'
        ) from error
    check_count('array', array.shape)
    return np.array(array)


def _content_of(source: object, image_size: tuple[int, int] | None) -> Any:
    """Return an array, or a list of frames, of what a program has in memory."""
    if hasattr(source, 'requires_grad'):
        return to_numbers('poses', source)
    if isinstance(source, np.ndarray | dict) or not isinstance(source, Iterable):
        return source
    frames = [*source]
    if any(hasattr(frame, 'pose_world_landmarks') for frame in frames):
        return [_mediapipe(frame, image_size) for frame in frames]
    return (
        to_numbers('poses', frames) if _is_array(next(iter(frames), None)) else frames
    )


def _is_array(frame: Any) -> bool:
    """Return whether a frame is an array, a tensor, or a list of numbers."""
    if isinstance(frame, list | tuple) and frame:
        return _is_array(frame[0])
    is_objects = isinstance(frame, np.ndarray) and frame.dtype == object
    return isinstance(frame, float | int) or (
        hasattr(frame, 'dtype') and not is_objects
    )


def _mediapipe(result: Any, image_size: tuple[int, int] | None) -> list[dict]:
    """Return the people of a result, of MediaPipe's tasks or of its older solutions."""
    people = []
    images = _landmarks(result, 'pose_landmarks')
    for number, points in enumerate(_landmarks(result, 'pose_world_landmarks')):
        person = {
            'keypoints_3d': [[p.x, p.y, p.z] for p in points],
            'scores': [getattr(p, 'visibility', None) or 1e-3 for p in points],
        }
        if image_size is not None and number < len(images):
            width, height = image_size
            pixels = [[p.x * width, p.y * height] for p in images[number]]
            person['keypoints_2d'] = pixels
        people.append(person)
    return people


def _landmarks(result: Any, name: str) -> list:
    found = getattr(result, name, None) or []
    return [found.landmark] if hasattr(found, 'landmark') else [*found]


def _build(content: Any, name: str, given: dict[str, Any]) -> Clip3D:
    """Make a clip of an array, of columns of arrays, or of frames of people."""
    has_poses = isinstance(content, Mapping) and not content.keys().isdisjoint(_POSES)
    axes = given['given_axes'] or 'camera'
    columns: dict[str, Any] = {}
    if isinstance(content, np.ndarray) and content.dtype != object:
        columns['keypoints_3d'] = content
    elif has_poses and np.ndim(_first(content, _POSES)) > 2:
        columns = {key: _first(content, names) for key, names in _KEYS.items()}
        columns |= {key: content.get(key) for key in _OF_ALL}
    else:
        columns = _stack_people(*_number(content, name))
        if 'keypoints3d' in columns.pop('names'):
            axes = given['given_axes'] or 'world'
            is_body = columns['keypoints_3d'].shape[1] == _BODY_25
            columns['skeleton'] = 'openpose-25' if is_body else None
    fps, size = given['fps'] or columns.get('fps'), given['image_size']
    if fps is None:
        raise ArgumentError('does not state its rate: give {fps}')
    rate = as_number(fps, 'fps')
    return _make(columns, name, rate, size, given['skeleton'], axes)


def _make(
    columns: Mapping[str, Any],
    name: str,
    fps: float,
    size: tuple[int, int] | None,
    skeleton: str | None,
    axes: str,
) -> Clip3D:
    poses = to_numbers('keypoints_3d', columns['keypoints_3d'])
    scores, roots = columns.get('scores'), columns.get('root_3d')
    pixels, focal = columns.get('keypoints_2d'), columns.get('focal_length')
    if poses.shape[-1] == 4 and scores is None:
        poses, scores = poses[..., :3], poses[..., 3]
    if roots is not None:
        roots = to_numbers('root_3d', roots).reshape(*poses.shape[:-2], 3)
    if pixels is not None:
        pixels = to_numbers('keypoints_2d', pixels)[..., :2]
        if size is None and columns.get('width') is not None:
            sides = (as_number(columns[x], x) for x in ('width', 'height'))
            size = check_image_size(tuple(sides))
        if size is None:
            size = _image_size(poses, roots, pixels, focal)
    stated = columns.get('skeleton')
    clip = Clip3D.from_arrays(
        poses,
        fps,
        skeleton=skeleton or (None if stated is None else str(stated)),
        root_3d=roots,
        keypoints_2d=pixels,
        scores=scores,
        frames=columns.get('frame'),
        tracks=columns.get('track'),
        image_size=size,
        axes=axes,
        name=name,
    )
    if clip.frame[-1] > LARGEST_FRAME:
        raise ValueError(f'frame must be within 0..{LARGEST_FRAME}')
    if focal is None:
        return clip
    return replace(clip, focal_length=float(np.median(focal)), focal_assumed=False)


def _image_size(
    poses: np.ndarray, roots: Any, pixels: np.ndarray, focal: Any
) -> tuple[int, int]:
    """Return the image size, twice the point that the camera looks at."""
    if roots is None or focal is None:
        raise ArgumentError('does not state the image size: give {image_size}')
    places = poses + roots[..., None, :]
    length = np.broadcast_to(np.reshape(focal, (-1, 1, 1)), pixels.shape)
    center = pixels - length * places[..., :2] / places[..., 2:]
    width, height = 2 * np.nanmedian(center.reshape(-1, 2), axis=0)
    return max(round(width), 1), max(round(height), 1)


def _first(person: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((person[x] for x in names if person.get(x) is not None), None)


def _number(content: Any, name: str) -> tuple[list[int], list[list[Mapping]]]:
    """Return frame numbers, and the people of each frame."""
    if isinstance(content, np.ndarray):
        content = content.tolist()
    numbers = None
    if isinstance(content, Mapping) and content.keys().isdisjoint(_POSES):
        names = sorted(map(str, content), key=natural_key)
        known = number_frames([{'id': x} for x in names], Path(name))
        content = {str(key): value for key, value in content.items()}
        numbers, content = [known[x] for x in names], [content[x] for x in names]
    if not isinstance(content, Sequence) or isinstance(content, str):
        raise ValueError(f'is not a list of frames: {_EXPECTED}')
    images = [_people(frame) for frame in content]
    if max(map(len, images), default=0) > _MOST_PEOPLE:
        raise ValueError(f'has more than {_MOST_PEOPLE} people in one frame')
    return [*range(len(images))] if numbers is None else numbers, images


def _people(frame: Any) -> list[Mapping]:
    """Return the people of a frame: a list, a dict with such a list, or one person."""
    if hasattr(frame, 'tolist'):  # also tensors
        frame = frame.tolist()
    if isinstance(frame, Mapping) and frame.keys().isdisjoint(_POSES):
        frame = next((x for x in frame.values() if isinstance(x, list)), [])
    people = [frame] if isinstance(frame, Mapping) else frame or []
    for person in people if isinstance(people, list | tuple) else [people]:
        if not isinstance(person, Mapping) or _first(person, _POSES) is None:
            names = ', '.join(_POSES)
            raise ValueError(f'has people without {names}: {_EXPECTED}')
    return [*people]


def _stack_people(frames: list[int], images: list[list[Mapping]]) -> dict[str, Any]:
    """Stack the people of frames to rows."""
    people = [dict(person) for own in images for person in own]
    if not people:
        raise ValueError('holds no people')
    frame = np.repeat(frames, [len(own) for own in images])
    rows = []
    for person in people:
        found = {key: _first(person, names) for key, names in _KEYS.items()}
        if 'keypoints3d' in person:
            found['keypoints_3d'] = found['keypoints_3d'][:_BODY_25]
        rows.append(found)
    arrays: dict[str, Any] = {}
    for key in _KEYS:
        values = [row[key] for row in rows]
        has_it = all(value is not None for value in values)
        arrays[key] = as_numbers([*map(_plain, values)], key) if has_it else None
    check_count('keypoints_3d', arrays['keypoints_3d'].shape)
    track = stack_tracks(people, frame)
    if track is None:  # one person of each frame is one track
        is_single = len(np.unique(frame)) == len(frame)
        track = np.full(len(frame), 0 if is_single else -1)
    return {**arrays, 'frame': frame, 'track': track, 'names': {*people[0]}}


def _plain(value: Any) -> Any:
    """Convert a tensor, also of a GPU, to a list."""
    return value.tolist() if hasattr(value, 'requires_grad') else value
