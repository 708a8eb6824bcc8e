"""Keypoints as stated by a file, and the checks shared by all formats.

`read_keypoints` prefixes the messages with the file name.
"""

from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from mmhot.io.arrays import as_numbers, brief, whole_numbers
from mmhot.io.readers.frame_numbers import LARGEST_FRAME

# Heatmap peaks can be slightly negative where no keypoint was detected.
LOWEST_SCORE = -0.1
_TRACK_KEYS = ('track_id', 'instance_id')


@dataclass
class Rows:
    """One row per person and frame; None where the file states nothing.

    Attributes:
        keypoints (np.ndarray): Pixels, (N, K, 2).
        scores (np.ndarray | None): Confidence, (N, K).
        frame (np.ndarray): Frame numbers, (N,).
        track (np.ndarray | None): Track IDs, (N,).
        bboxes (np.ndarray | None): Boxes as x1, y1, x2, y2, (N, 4).
        width (float | None): Image width.
        height (float | None): Image height.
        fps (float | None): Frames per second.
        skeleton (str | None): Name of the skeleton.
        joint_names (tuple[str] | None): Names of the K joints.
    """

    keypoints: np.ndarray
    scores: np.ndarray | None
    frame: np.ndarray
    track: np.ndarray | None = None
    bboxes: np.ndarray | None = None
    width: float | None = None
    height: float | None = None
    fps: float | None = None
    skeleton: str | None = None
    joint_names: tuple[str, ...] | None = None


def checked(rows: Rows) -> Rows:
    """Check values and mark missing keypoints with NaN and score 0.

    A keypoint is missing if its position or score is NaN, its score is not above zero,
    or its position is exactly (0, 0), as COCO and several models mark it.

    Args:
        rows (Rows): As read, with valid shapes.

    Returns:
        Rows: Float32 keypoints, scores and boxes, int64 frames and tracks.
    """
    frame = whole_numbers('frame', rows.frame)
    if frame.min() < 0 or frame.max() > LARGEST_FRAME:
        bad = frame.min() if frame.min() < 0 else frame.max()
        raise ValueError(f'frame must be within 0..{LARGEST_FRAME}, got {bad}')
    track = None if rows.track is None else whole_numbers('track', rows.track)

    keypoints = np.array(rows.keypoints, np.float64)
    scores = np.ones(keypoints.shape[:2]) if rows.scores is None else rows.scores
    scores = np.array(scores, np.float64)
    _require(~np.isinf(keypoints), 'keypoints', 'infinite values', frame)
    _require(~np.isinf(scores), 'scores', 'infinite values', frame)
    _require(~(scores < LOWEST_SCORE), 'scores', 'negative values', frame)
    if rows.bboxes is not None:
        _require(~np.isinf(rows.bboxes), 'boxes', 'infinite values', frame)

    missing = np.isnan(keypoints).any(-1) | (keypoints == 0).all(-1) | ~(scores > 0)
    if missing.all():
        raise ValueError('no keypoint is finite and has a score above 0')
    keypoints[missing] = np.nan
    scores[missing] = 0
    return replace(
        rows,
        keypoints=_float32(keypoints),
        scores=_float32(scores),
        frame=frame,
        track=track,
        bboxes=None if rows.bboxes is None else _float32(rows.bboxes),
    )


def stack(
    people: list[dict], key: str, frames: list, default: object = None
) -> np.ndarray | None:
    """Stack the values of a field of all people.

    Args:
        people (list[dict]): People, N of them.
        key (str): Field with a number or nested lists of numbers.
        frames (list): Their frames in messages.
        default (object): Value of people who lack the field.

    Returns:
        np.ndarray | None: (N, ...); None if no person has it.

    Raises:
        ValueError: If the values are no numbers, or of several shapes.
    """
    values = [person.get(key) for person in people]
    if all(value is None for value in values):
        return None
    values = [default if value is None else value for value in values]
    with suppress(ValueError):
        return as_numbers(values, key)
    for frame, value in zip(frames, values, strict=True):
        try:
            as_numbers([values[0], value], key)
        except ValueError:
            raise ValueError(
                f"frame {frame}: '{key}' must be numbers, as many for each person, got "
                f'{brief(value)}'
            ) from None
    raise AssertionError('values of one shape can be stacked')


def stack_tracks(people: list[dict]) -> np.ndarray | None:
    """Stack the track IDs of all people, (N,); None if no person has one."""
    for key in _TRACK_KEYS:
        values = [person.get(key) for person in people]
        if all(value is None for value in values):
            continue
        if any(value is None for value in values):
            count = sum(value is not None for value in values)
            raise ValueError(f'only {count} of {len(people)} people have a {key}')
        return whole_numbers(key, as_numbers(values, key))
    return None


def largest_person(rows: Rows) -> Rows:
    """Keep the largest person of each frame, as track 0.

    The area is that of the bounding boxes if every row has one, or else that of the
    keypoints' extent.
    """
    boxes = rows.bboxes
    if boxes is None or np.isnan(boxes).any():
        low = np.where(np.isnan(rows.keypoints), np.inf, rows.keypoints).min(1)
        high = np.where(np.isnan(rows.keypoints), -np.inf, rows.keypoints).max(1)
        side = np.where(np.isfinite(low), high - low, 0)
    else:
        side = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    found = np.isfinite(rows.keypoints).any((1, 2))
    area = np.where(found, side.prod(-1), -1)
    order = np.lexsort((-area, rows.frame))
    first = np.r_[True, np.diff(rows.frame[order]) > 0]
    return replace(take(rows, order[first]), track=np.zeros(first.sum(), np.int64))


def take(rows: Rows, index: np.ndarray) -> Rows:
    """Select rows, in the order of ``index``."""
    names = ('keypoints', 'scores', 'frame', 'track', 'bboxes')
    arrays = {name: getattr(rows, name) for name in names}
    return replace(
        rows, **{k: None if v is None else v[index] for k, v in arrays.items()}
    )


def _require(valid: np.ndarray, name: str, fault: str, frame: np.ndarray) -> None:
    if not valid.all():
        row = np.argwhere(~valid)[0, 0]
        raise ValueError(f'{name} holds {fault} (first at frame {frame[row]})')


def _float32(values: np.ndarray) -> np.ndarray:
    with np.errstate(over='ignore'):
        return np.asarray(values).astype(np.float32)
