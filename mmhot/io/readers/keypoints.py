"""Reader of 2D keypoints in any supported format, with image size, rate and skeleton.

Arguments override what the file states, with a warning where they differ; what neither
states is an error.
"""

import logging
import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from mmhot.errors import naming
from mmhot.io.arrays import SIGNATURES, load_json
from mmhot.io.readers.coco import is_coco, read_coco
from mmhot.io.readers.mmpose import read_mmpose, read_mmpose_folder
from mmhot.io.readers.npz import read_npz
from mmhot.io.readers.rows import Rows, checked, largest_person, take
from mmhot.skeletons.joints import SKELETONS, get_skeleton, skeletons_by_count
from mmhot.structures.clips import Clip2D, Track2D, clip_name
from mmhot.structures.keypoint_arrays import check_extent

_LOGGER = logging.getLogger(__name__)

# Bytes that identify the format.
_NUM_MAGIC_BYTES = 64
_EXPECTED = '2D keypoints as .npz, MMPose JSON or COCO JSON are expected'
_OTHER_FORMATS = (
    ('a video', 4, b'ftyp'),
    ('a video', 0, b'RIFF'),
    ('a video', 0, b'\x1aE\xdf\xa3'),
    ('an image', 0, b'\xff\xd8\xff'),
    ('an image', 0, b'\x89PNG'),
    ('a pickle, which is never loaded', 0, b'\x80'),
    ('a bare .npy array, without size and rate', 0, b'\x93NUMPY'),
)
# Argument, lowest and highest value, and type of what the file may lack.
_HEADER = {
    'width': ('`image_size`', 1, 100_000, int),
    'height': ('`image_size`', 1, 100_000, int),
    'fps': ('`fps`', 1, 1000, float),
}

MAX_TRACKS = 2000
"""Most people of one file; each is lifted, and written, on its own."""


def read_keypoints(
    path: str | Path,
    *,
    skeleton: str | None = None,
    image_size: tuple[int, int] | None = None,
    fps: float | None = None,
    single: Literal['largest'] | None = None,
) -> Clip2D:
    """Read the 2D keypoints of a clip; the content decides which format it is.

    ``docs/output-formats.md`` describes the formats: ``.npz``, MMPose's JSON (a file,
    or a folder with one file per image), COCO's JSON.

    Args:
        path (str | Path): A file or folder.
        skeleton (str | None): Joint order, a name of :mod:`mmhot.skeletons.joints`. By
            default the one stated by the file, or the default one with as many joints.
        image_size (tuple[int, int] | None): Width and height in pixels.
        fps (float | None): Frames per second.
        single (str | None): ``'largest'`` keeps the largest person of each frame, as
            one track.

    Returns:
        Clip2D: At least one track with at least one keypoint.

    Raises:
        ValueError: If the file or an argument is invalid.
        OSError: If the file does not exist or cannot be read.
    """
    if single not in (None, 'largest'):
        raise ValueError(f"`single` must be 'largest', got {single!r}")
    if image_size is not None and len(image_size) != 2:
        raise ValueError(f'`image_size` must be width and height, got {image_size}')
    path = Path(path)
    with naming(path):
        rows = checked(_read_rows(path))
        width, height, fps = _resolve_header(path, rows, image_size, fps)
        check_extent(rows.keypoints, width, height)
        skeleton = _resolve_skeleton(path, rows, skeleton)
        if single == 'largest':
            rows = largest_person(rows)
        return Clip2D(
            name=clip_name(path),
            skeleton=skeleton,
            tracks=_split_tracks(path, rows),
            width=width,
            height=height,
            fps=fps,
            source=path,
        )


def _read_rows(path: Path) -> Rows:
    """Detect the format and read all people."""
    if path.is_dir():
        return read_mmpose_folder(path)
    with path.open('rb') as file:
        start = file.read(_NUM_MAGIC_BYTES)
    text = start.lstrip(b'\xef\xbb\xbf\xff\xfe\0 \t\r\n')
    if start.startswith(SIGNATURES):
        return read_npz(path)
    if not text and len(start) < _NUM_MAGIC_BYTES:
        raise ValueError('is empty')
    if text and not text.startswith((b'[', b'{')):
        for kind, offset, signature in _OTHER_FORMATS:
            if start[offset:].startswith(signature):
                raise ValueError(f'is {kind}: {_EXPECTED}')
        raise ValueError(f'is neither .npz nor JSON: {_EXPECTED}')
    document = load_json(path)
    return read_coco(document, path) if is_coco(document) else read_mmpose(document)


def _resolve_header(
    path: Path, rows: Rows, image_size: tuple[int, int] | None, fps: float | None
) -> tuple[int, int, float]:
    """Return width, height and frame rate, from the arguments or the file."""
    width, height = (None, None) if image_size is None else image_size
    given = {'width': width, 'height': height, 'fps': fps}
    resolved, missing = [], []
    for name, value in given.items():
        stated = getattr(rows, name)
        if value is None and stated is None:
            missing.append(name)
            continue
        if value is not None and stated not in (None, value):
            message = '%s states %s %s; the given %s is used instead'
            _LOGGER.warning(message, path, name, stated, value)
        argument, low, high, kind = _HEADER[name]
        used = stated if value is None else value
        # written so that NaN fails
        if not low <= used <= high or kind(used) != used:
            prefix = '' if value is None else f'{argument}: '
            whole = 'whole ' if kind is int else ''
            raise ValueError(
                f'{prefix}{name} must be a {whole}number within {low}..{high}, '
                f'got {used}'
            )
        resolved.append(kind(used))
    if missing:
        arguments = ' and '.join(dict.fromkeys(_HEADER[name][0] for name in missing))
        raise ValueError(f'does not state {", ".join(missing)}: give {arguments}')
    return tuple(resolved)


def _resolve_skeleton(path: Path, rows: Rows, given: str | None) -> str:
    """Return the skeleton's name, from the argument, the file or the joint count."""
    count = rows.keypoints.shape[1]
    if given is None:
        name = _stated_skeleton(rows) or _skeleton_with(count)
    else:
        name = get_skeleton(given).name
        try:
            stated = _stated_skeleton(rows)
        except ValueError as error:
            _LOGGER.warning('%s: %s; %s is used', path, error, name)
        else:
            if stated not in (None, name):
                _LOGGER.warning('%s states %s; %s is used instead', path, stated, name)
    expected = get_skeleton(name).num_keypoints
    if count != expected:
        raise ValueError(f'has {count} keypoints per person, but {name} has {expected}')
    return name


def _stated_skeleton(rows: Rows) -> str | None:
    """Return the skeleton that the file names, or whose joints it names."""
    if rows.skeleton is not None:
        return get_skeleton(rows.skeleton).name
    if rows.joint_names is None:
        return None
    if len(rows.joint_names) != rows.keypoints.shape[1]:
        raise ValueError(
            f'names {len(rows.joint_names)} joints but has {rows.keypoints.shape[1]} '
            'keypoints per person'
        )
    names = tuple(map(_normalized, rows.joint_names))
    for skeleton in SKELETONS.values():
        if names == tuple(map(_normalized, skeleton.joints)):
            return skeleton.name
    raise ValueError(
        f'names its joints {", ".join(rows.joint_names)[:60]}..., which is no known '
        'skeleton: give `skeleton` if the order fits one'
    )


def _normalized(joint: str) -> str:
    return '_'.join(re.split('[-_ ]+', joint.lower()))


def _skeleton_with(count: int) -> str:
    known = skeletons_by_count()
    if count not in known:
        listed = ', '.join(f'{number} ({name})' for number, name in known.items())
        raise ValueError(f'has {count} keypoints per person; known are {listed}')
    return known[count]


def _split_tracks(path: Path, rows: Rows) -> list[Track2D]:
    if rows.track is None:
        rows = _as_one_track(rows)
    rows = take(rows, np.lexsort((rows.frame, rows.track)))
    twice = (np.diff(rows.frame) == 0) & (np.diff(rows.track) == 0)
    if twice.any():
        row = twice.argmax()
        raise ValueError(
            f'has two rows for frame {rows.frame[row]}, track {rows.track[row]}'
        )
    numbers, starts = np.unique(rows.track, return_index=True)
    if len(numbers) > MAX_TRACKS:
        raise ValueError(f'has {len(numbers)} track IDs: at most {MAX_TRACKS} are read')
    tracks = []
    for index in np.split(np.arange(len(rows.track)), starts[1:]):
        own = take(rows, index)
        track = int(own.track[0])
        if np.isnan(own.keypoints).all():
            _LOGGER.warning('%s: track %s has no keypoints; left out', path, track)
            continue
        tracks.append(Track2D(track, own.frame, own.keypoints, own.scores, own.bboxes))
    return tracks


def _as_one_track(rows: Rows) -> Rows:
    """Give all rows one track ID, if no frame has several people."""
    found = np.isfinite(rows.keypoints).any((1, 2))
    for kept in (rows, take(rows, found)):
        frames, counts = np.unique(kept.frame, return_counts=True)
        if counts.max() == 1:
            return replace(kept, track=np.zeros(len(frames), np.int64))
    raise ValueError(
        f'has {counts.max()} people in frame {frames[counts.argmax()]} but no '
        "track IDs ('track' in .npz, 'track_id' in JSON): add them, or keep one "
        "person per frame with `single` 'largest'"
    )
