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
    boxes = np.empty(0) if rows.bboxes is None else rows.bboxes
    for wrong, fault in (
        (np.isinf(keypoints), 'keypoints holds infinite values'),
        (np.isinf(scores), 'scores holds infinite values'),
        (scores < LOWEST_SCORE, 'scores holds negative values'),
        (np.isinf(boxes), 'boxes holds infinite values'),
    ):
        if wrong.any():
            row = np.argwhere(wrong)[0, 0]
            raise ValueError(f'{fault} (first at frame {frame[row]})')

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


def stack_keypoints(people: list[dict], frames: list) -> np.ndarray:
    """Stack the keypoints of all people as they are in the file, (N, ...).

    Args:
        people (list[dict]): People with ``keypoints``.
        frames (list): Their frames in messages.

    Raises:
        ValueError: If there are no people, or keypoints of several shapes.
    """
    if not people:
        raise ValueError('holds no people')
    if not all(isinstance(person, dict) for person in people):
        raise ValueError('holds instances that are no objects')
    keypoints = stack(
        [person.get('keypoints') for person in people], 'keypoints', frames
    )
    if keypoints is None:
        raise ValueError("holds people without 'keypoints'")
    return keypoints


def stack_boxes(people: list[dict], frames: list) -> np.ndarray | None:
    """Stack ``bbox``, which MMPose writes inside another list, (N, 4)."""
    boxes = [person.get('bbox') for person in people]
    boxes = [x[0] if isinstance(x, list) and len(x) == 1 else x for x in boxes]
    boxes = stack(boxes, 'bbox', frames, [np.nan] * 4)
    if boxes is None:
        return None
    if boxes.ndim != 2 or boxes.shape[1] not in (4, 5):
        raise ValueError(f"'bbox' is {boxes.shape[1:]}: four numbers are expected")
    return boxes[:, :4]


def stack(
    values: list, name: str, frames: list, default: object = None
) -> np.ndarray | None:
    """Stack a value of each person, (N, ...); None if no person has it.

    Args:
        values (list): Numbers or nested lists of numbers; None where missing.
        name (str): Their name in messages.
        frames (list): The people's frames in messages.
        default (object): Replaces missing values.

    Raises:
        ValueError: If the values are no numbers, or of several shapes.
    """
    if all(value is None for value in values):
        return None
    values = [default if value is None else value for value in values]
    with suppress(ValueError):
        return as_numbers(values, name)
    for frame, value in zip(frames, values, strict=True):
        try:
            as_numbers([values[0], value], name)
        except ValueError:
            raise ValueError(
                f"frame {frame}: '{name}' must be numbers, as many for each person, "
                f'got {brief(value)}'
            ) from None
    raise AssertionError('values of one shape can be stacked')


def stack_tracks(people: list[dict]) -> np.ndarray | None:
    """Stack the track IDs of all people, (N,); None if no person has one."""
    for key in ('track_id', 'instance_id'):
        values = [person.get(key) for person in people]
        count = sum(value is not None for value in values)
        if 0 < count < len(people):
            raise ValueError(f'only {count} of {len(people)} people have a {key}')
        if count:
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
    arrays = {k: v for k, v in vars(rows).items() if isinstance(v, np.ndarray)}
    return replace(rows, **{name: array[index] for name, array in arrays.items()})


def _float32(values: np.ndarray) -> np.ndarray:
    with np.errstate(over='ignore'):
        return np.asarray(values).astype(np.float32)
