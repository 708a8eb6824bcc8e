"""Reader of 2D keypoints in any supported format, with image size, rate and skeleton.

Arguments override what the file states, with a warning where they differ; what neither
states is an error.
"""

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np

from mmhot.errors import ArgumentError, naming, refuse_open_file
from mmhot.geometry.keypoint_arrays import (
    check_image_size,
    mark_missing,
    warn_of_steps,
    whole_numbers,
)
from mmhot.io.arrays import BLANK, SIGNATURES, load_json, start_of
from mmhot.io.readers.animal_tracking import (
    HDF5,
    is_deeplabcut,
    is_sleap_csv,
    read_deeplabcut,
    read_sleap,
    read_sleap_csv,
)
from mmhot.io.readers.coco import is_coco, read_coco
from mmhot.io.readers.frame_numbers import LARGEST_FRAME
from mmhot.io.readers.mmpose import read_mmpose, read_mmpose_folder
from mmhot.io.readers.npz import read_npz
from mmhot.io.readers.predictions import as_predictions, read_predictions
from mmhot.io.readers.rows import Rows, largest_person, take
from mmhot.io.readers.yolo_labels import label_files, read_labels
from mmhot.skeletons.joints import (
    Skeleton,
    get_skeleton,
    match_joints,
    skeleton_with,
)
from mmhot.structures.clips import Clip2D, Track2D, check_clip, clip_name

_LOGGER = logging.getLogger(__name__)

SUFFIXES = ('.npz', '.json', '.csv', '.h5', '.hdf5')
"""Usual suffixes of the files; others are recognized by their content."""
_EXPECTED = '2D keypoints that docs/output-formats.md lists'
_EXPORT_COCO = (
    'export keypoints as COCO ("COCO Keypoints 1.0" in CVAT, "COCO" in Label Studio)'
)
_LABEL_STUDIO, _SEARCHED = re.compile(b'"(keypointlabels|lead_time|inner_id)"'), 1 << 20
MAX_TRACKS = 2000
"""Most people of one file; each is lifted, and written, on its own."""


def read_keypoints(
    path: str | Path | Iterable[object],
    *,
    skeleton: str | None = None,
    image_size: tuple[int, int] | None = None,
    fps: float | None = None,
    single: Literal['largest', 'untracked'] | None = None,
) -> Clip2D:
    """Read the 2D keypoints of a clip; the content decides which format it is.

    ``docs/output-formats.md`` describes the formats.

    Args:
        path (str | Path | Iterable): A file or folder, or predictions of other packages
            (:mod:`mmhot.io.readers.predictions`).
        skeleton (str | None): Joint order, a name of :mod:`mmhot.skeletons.joints`. By
            default the one stated by the file, or the default one with as many joints.
        image_size (tuple[int, int] | None): Width and height in pixels.
        fps (float | None): Frames per second.
        single (str | None): ``'largest'`` keeps the largest person of each frame, as
            one track; ``'untracked'`` does so if there are no track IDs.

    Returns:
        Clip2D: At least one track with at least one keypoint.

    Raises:
        ValueError: If the file or an argument is invalid.
        OSError: If the file does not exist or cannot be read.
    """
    if single not in (None, 'largest', 'untracked'):
        raise ArgumentError("{single} must be 'largest', got %r", single)
    refuse_open_file('path', path)
    source = Path(path) if isinstance(path, str | Path) else None
    found = None if source else as_predictions(path)
    if source is found is None:
        raise TypeError(
            'path must be a file, a folder or predictions, one of each frame, got '
            f'{type(path).__name__}; arrays are for mmhot.lift'
        )
    file = source or Path('predictions')
    with naming(file):
        rows = _read_rows(file) if found is None else read_predictions(found)
        rows.frame = whole_numbers('frame', rows.frame)
        if rows.frame.max() > LARGEST_FRAME:
            raise ValueError(f'frame must be within 0..{LARGEST_FRAME}')
        warn_of_steps(file, rows.frame)
        if rows.track is not None:
            rows.track = whole_numbers('track', rows.track)
        if rows.scores is None:
            rows.scores = np.ones(rows.keypoints.shape[:2])
        rows.keypoints, rows.scores = mark_missing(rows.keypoints, rows.scores)
        if np.isnan(rows.keypoints).all():
            raise ValueError('no keypoint is finite and has a score above 0')
        width, height, rate = _resolve_header(file, rows, image_size, fps)
        if rows.is_normalized:
            rows.keypoints = rows.keypoints * [width, height]
            if rows.bboxes is not None:
                rows.bboxes = rows.bboxes * [width, height, width, height]
        rows, skeleton = _resolve_skeleton(file, rows, skeleton)
        if single == 'largest' or (single and rows.track is None):
            rows = largest_person(rows)
        tracks = _split_tracks(file, rows)
        clip = Clip2D(clip_name(file), skeleton, tracks, width, height, rate, source)
        return check_clip(replace(clip, steps=rows.steps))


def has_keypoints(path: Path) -> bool:
    """Return whether a file, or a folder of files, is one of 2D keypoints."""
    if path.is_dir():
        return any(path.glob('*.json')) or bool(label_files(path))
    if path.suffix.lower() in SUFFIXES:
        return True
    start = start_of(path) if path.is_file() else b''
    return bool(start) and _reader_of(start) is not None


def _reader_of(start: bytes) -> Callable[[Path], Rows] | None:
    """Return the reader of files that begin so; None of unknown ones."""
    text = start.lstrip(BLANK)
    readers = (
        (start.startswith(SIGNATURES), read_npz),
        (start.startswith(HDF5), read_sleap),
        (is_deeplabcut(start), read_deeplabcut),
        (is_sleap_csv(start), read_sleap_csv),
        (text.startswith(b'<'), _refuse_xml),
        (text.startswith((b'[', b'{')), _read_json),
    )
    return next((read for is_own, read in readers if is_own), None)


def _read_rows(path: Path) -> Rows:
    if path.is_dir():
        labels = label_files(path)
        return read_labels(labels, path) if labels else read_mmpose_folder(path)
    start = start_of(path)
    read = _reader_of(start)
    if read is not None:
        return read(path)
    if not start:
        raise ValueError('is empty')
    hint = 'videos and images are for mmhot infer'
    if b'\0' not in start:
        hint = 'docs/migration.md converts keypoints of MediaPipe and others'
    raise ValueError(f'is not a file of {_EXPECTED}; {hint}')


def _refuse_xml(path: Path) -> NoReturn:
    raise ValueError(f'is XML or HTML: {_EXPORT_COCO}')


def _read_json(path: Path) -> Rows:
    document = load_json(path)
    try:
        return read_coco(document, path) if is_coco(document) else read_mmpose(document)
    except ValueError as error:
        with path.open('rb') as file:
            start = file.read(_SEARCHED).replace(b'\0', b'')
        if _LABEL_STUDIO.search(start):
            reason = f'is JSON of Label Studio: {_EXPORT_COCO}'
            raise ValueError(reason) from error
        raise


def _resolve_header(
    path: Path, rows: Rows, image_size: tuple[int, int] | None, fps: float | None
) -> tuple[int, int, float]:
    """Return width, height and frame rate, from the arguments or the file."""
    width, height = (None, None) if image_size is None else image_size
    header: dict[str, Any] = {}
    for name, given in {'width': width, 'height': height, 'fps': fps}.items():
        stated = getattr(rows, name)
        if given is not None and stated not in (None, given):
            message = '%s states %s %s; the given %s is used instead'
            _LOGGER.warning(message, path, name, stated, given)
        header[name] = stated if given is None else given
    missing = [name for name, value in header.items() if value is None]
    if missing:
        names = dict(width='{image_size}', height='{image_size}', fps='{fps}')
        arguments = dict.fromkeys(names[name] for name in missing)
        listed, wanted = ', '.join(missing), ' and '.join(arguments)
        raise ArgumentError(f'does not state %s: give {wanted}', listed)
    return *check_image_size((header['width'], header['height'])), header['fps']


def _resolve_skeleton(path: Path, rows: Rows, given: str | None) -> tuple[Rows, str]:
    """Return rows in the skeleton's order, and its name, of argument, file or count."""
    stated, names = rows.skeleton, rows.joint_names
    if stated is None and names is not None:
        count = rows.keypoints.shape[1]
        if len(names) != count:
            raise ValueError(f'names {len(names)} joints, but has {count} keypoints')
        found, order = match_joints(names) or (None, [])
        stated = ', '.join(names)[:60] if found is None else found.name
        if found is None and given is None:
            raise ArgumentError(
                'no skeleton has the joints %r: name shoulders and hips left_shoulder, '
                'right_hip and so on, or give {skeleton}',
                stated,
            )
        if found is not None and given in (None, stated):
            rows = _reorder(path, rows, found, order)
    if given is not None and stated not in (None, given):
        _LOGGER.warning('%s states %s; %s is used instead', path, stated, given)
    name = given or stated or skeleton_with(rows.keypoints.shape[1])
    return rows, get_skeleton(name).name


def _reorder(path: Path, rows: Rows, skeleton: Skeleton, order: list[int]) -> Rows:
    """Take the joints by the indices of their names, -1 for missing ones."""
    assert rows.joint_names is not None
    assert rows.scores is not None
    lost = [x for x, n in zip(skeleton.joints, order, strict=True) if n < 0]
    unused = [x for n, x in enumerate(rows.joint_names) if n not in order]
    for joints, text in ((lost, 'has no %s of %s'), (unused, 'its %s are not of %s')):
        if joints:
            _LOGGER.warning(f'%s: {text}', path, ', '.join(joints), skeleton.name)
    scores = np.where(np.array(order) < 0, 0, rows.scores[:, order])
    keypoints, scores = mark_missing(rows.keypoints[:, order], scores)
    return replace(rows, keypoints=keypoints, scores=scores)


def _split_tracks(path: Path, rows: Rows) -> list[Track2D]:
    if rows.track is None:
        rows = _as_one_track(rows)
    assert rows.track is not None
    assert rows.scores is not None
    order = np.lexsort((rows.frame, rows.track))
    numbers, starts = np.unique(rows.track[order], return_index=True)
    if len(numbers) > MAX_TRACKS:
        raise ValueError(f'has {len(numbers)} track IDs: at most {MAX_TRACKS} are read')
    tracks = []
    for index in np.split(order, starts[1:]):
        own, scores = take(rows, index), rows.scores[index]
        track = int(rows.track[index[0]])
        if np.isnan(own.keypoints).all():
            _LOGGER.warning('%s: track %s has no keypoints; left out', path, track)
            continue
        tracks.append(Track2D(track, own.frame, own.keypoints, scores, own.bboxes))
    return tracks


def _as_one_track(rows: Rows) -> Rows:
    """Give all rows one track ID, if no frame has several people."""
    found = np.isfinite(rows.keypoints).any((1, 2))
    for kept in (rows, take(rows, found)):
        frames, counts = np.unique(kept.frame, return_counts=True)
        if counts.max() == 1:
            return replace(kept, track=np.zeros(len(frames), np.int64))
    raise ArgumentError(
        "has %s people in frame %s but no track IDs ('track' in .npz, 'track_id' in "
        'JSON, model.track() of Ultralytics): add them, or keep one person per frame '
        "with {single='largest'}",
        counts.max(),
        frames[counts.argmax()],
    )
