"""2D keypoints of a clip, whatever file they come from."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from mmhot.clips import Clip2D, Track2D
from mmhot.errors import naming
from mmhot.io.json_file import load_json
from mmhot.io.npz import SIGNATURES
from mmhot.io.readers.coco import is_coco, read_coco
from mmhot.io.readers.header import check_options, settle_header, settle_skeleton
from mmhot.io.readers.mmpose import read_mmpose, read_mmpose_folder
from mmhot.io.readers.npz import read_npz
from mmhot.io.readers.rows import Rows, check_extent, checked, largest_person, take

_LOGGER = logging.getLogger(__name__)

# Bytes that tell the format.
_SNIFFED = 64
_EXPECTED = '2D keypoints as .npz, MMPose JSON or COCO JSON are expected'
_FOREIGN = (
    ('a video', 4, b'ftyp'),
    ('a video', 0, b'RIFF'),
    ('a video', 0, b'\x1aE\xdf\xa3'),
    ('a picture', 0, b'\xff\xd8\xff'),
    ('a picture', 0, b'\x89PNG'),
    ('a pickle, which is never loaded', 0, b'\x80'),
    ('a bare .npy array, without size and rate', 0, b'\x93NUMPY'),
)


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
        skeleton (str | None): Joint order, a name of `mmhot.skeletons`. By default
            what the file says, or else what has as many joints.
        image_size (tuple[int, int] | None): Width and height in pixels.
        fps (float | None): Frames per second.
        single (str | None): ``'largest'`` keeps the largest person of each frame, as
            one track.

    Returns:
        Clip2D: At least one track with at least one keypoint.

    Raises:
        ValueError: What is wrong with the file or an argument, in one line.
        OSError: The file is not there or cannot be read, in one line.
    """
    check_options(skeleton, image_size, fps, single)
    path = Path(path)
    with naming(path):
        rows = checked(_read_rows(path))
        width, height, fps = settle_header(path, rows, image_size, fps)
        check_extent(rows.keypoints, width, height)
        name = settle_skeleton(path, rows, skeleton)
        if single == 'largest':
            rows = largest_person(rows)
        return Clip2D(
            name=path.stem if path.is_file() else path.resolve().name,
            skeleton=name,
            tracks=_split_tracks(path, rows),
            width=width,
            height=height,
            fps=fps,
            source=path,
        )


def _read_rows(path: Path) -> Rows:
    """Read people from whichever format the content shows."""
    if path.is_dir():
        return read_mmpose_folder(path)
    with path.open('rb') as file:
        start = file.read(_SNIFFED)
    text = start.lstrip(b'\xef\xbb\xbf\xff\xfe\0 \t\r\n')
    if start.startswith(SIGNATURES):
        return read_npz(path)
    if not text and len(start) < _SNIFFED:
        raise ValueError('is empty')
    if text and not text.startswith((b'[', b'{')):
        raise ValueError(_foreign(start))
    document = load_json(path)
    return read_coco(document) if is_coco(document) else read_mmpose(document)


def _foreign(start: bytes) -> str:
    for what, offset, signature in _FOREIGN:
        if start[offset:].startswith(signature):
            return f'is {what}: {_EXPECTED}'
    return f'is neither .npz nor JSON: {_EXPECTED}'


def _split_tracks(path: Path, rows: Rows) -> list[Track2D]:
    found = np.isfinite(rows.keypoints).any((1, 2))
    if rows.track is None:
        rows = _as_one_track(rows, found)
        found = np.isfinite(rows.keypoints).any((1, 2))
    order = np.lexsort((rows.frame, rows.track))
    rows, found = take(rows, order), found[order]
    twice = (np.diff(rows.frame) == 0) & (np.diff(rows.track) == 0)
    if twice.any():
        row = twice.argmax()
        raise ValueError(
            f'has two rows for frame {rows.frame[row]}, track {rows.track[row]}'
        )
    tracks = []
    for track in np.unique(rows.track):
        index = np.flatnonzero(rows.track == track)
        if not found[index].any():
            _LOGGER.warning('%s: track %s has no keypoints; left out', path, track)
            continue
        own = take(rows, index)
        tracks.append(
            Track2D(int(track), own.frame, own.keypoints, own.scores, own.bboxes)
        )
    return tracks


def _as_one_track(rows: Rows, found: np.ndarray) -> Rows:
    frames, counts = np.unique(rows.frame, return_counts=True)
    if counts.max() > 1:
        rows = take(rows, np.flatnonzero(found))
        frames, counts = np.unique(rows.frame, return_counts=True)
    if counts.max() > 1:
        raise ValueError(
            f'has {counts.max()} people in frame {frames[counts.argmax()]} but does '
            "not say who is who ('track' in .npz, 'track_id' in JSON): add that, or "
            'take one person a frame with --single largest'
        )
    return replace(rows, track=np.zeros(len(rows.frame), np.int64))
