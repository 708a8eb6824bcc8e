"""Keypoints as a file states them, and arrays of its lists of people."""

import re
import reprlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mmhot.geometry.keypoint_arrays import is_number
from mmhot.io.arrays import as_numbers
from mmhot.structures.clips import Steps

# Keys of track IDs: of MMPose and this package, and of others such as AlphaPose.
_MMPOSE_KEYS = ('track_id', 'instance_id')
_TRACK_KEYS = (*_MMPOSE_KEYS, 'person_id', 'tracker_id', 'obj_id', 'idx', 'id')


@dataclass
class Rows:
    """One row per person and frame; None where the file states nothing."""

    keypoints: np.ndarray  # pixels, (N, K, 2)
    scores: np.ndarray | None  # confidence, (N, K)
    frame: np.ndarray  # frame numbers, (N,)
    track: np.ndarray | None = None  # track IDs, (N,)
    bboxes: np.ndarray | None = None  # boxes as x1, y1, x2, y2, (N, 4)
    width: float | None = None
    height: float | None = None
    fps: float | None = None  # frames per second
    skeleton: str | None = None
    joint_names: tuple[str, ...] | None = None  # names of the K joints
    # processing steps that have run, and their options
    steps: Steps = field(default_factory=dict)
    # whether keypoints and boxes are shares of the image size
    is_normalized: bool = False


def rows_of_tracks(
    values: np.ndarray, frame: np.ndarray, joint_names: Iterable[str]
) -> Rows:
    """Convert the frames of tracks (P, T, K, 2 or 3) that have a keypoint to rows."""
    track, time = np.isfinite(values[..., :2]).all(-1).any(-1).nonzero()
    if not len(track):
        raise ValueError('holds no people with keypoints')
    found = values[track, time]
    scores = found[..., 2] if found.shape[-1] == 3 else None
    names = tuple(joint_names)
    return Rows(found[..., :2], scores, frame[time], track, joint_names=names)


def stack(people: list[dict], key: str, default: object = np.nan) -> np.ndarray | None:
    """Stack the numbers of all people, (N, ...); None if no person has them."""
    values = [person.get(key) for person in people]
    if all(value is None for value in values):
        return None
    return as_numbers([default if x is None else x for x in values], f"'{key}'")


def stack_keypoints(people: list[dict]) -> np.ndarray:
    """Stack the keypoints of all people as they are in the file, (N, ...)."""
    keypoints = stack(people, 'keypoints')
    if keypoints is None:
        raise ValueError("holds no people with 'keypoints'")
    return keypoints


def stack_boxes(people: list[dict]) -> np.ndarray | None:
    """Stack ``bbox``, which MMPose writes inside another list, (N, 4)."""
    boxes = stack(people, 'bbox', [np.nan] * 4)
    return None if boxes is None else boxes.reshape(len(people), -1)[:, :4]


def stack_tracks(people: list[dict], frames: np.ndarray) -> np.ndarray | None:
    """Stack the track IDs of all people, (N,) int64; None if they have none.

    Other keys than those of MMPose may number boxes instead: an ID that occurs twice in
    a frame is none, nor are all ``id`` if none occurs in two frames.
    """
    for key in _TRACK_KEYS:
        given, is_weak = [person.get(key) for person in people], key not in _MMPOSE_KEYS
        if all(x is None for x in given) or (is_weak and not all(map(_is_id, given))):
            continue
        values = [_track_id(value, key) for value in given]
        pairs = len({*zip(values, frames.tolist(), strict=True)})
        if is_weak and (pairs < len(people) or {*values} == {-1}):
            continue
        if key == 'id' and len({*values}) == len(values):
            continue
        return np.array(values, np.int64)
    return None


def _is_id(value: object) -> bool:
    """Return whether a value is a number, also of text or within a list."""
    if isinstance(value, list):
        return bool(value)
    return isinstance(value, int | float) or str(value).strip().isdecimal()


def _track_id(value: Any, key: str) -> int:
    """Convert an ID, also of text or within lists, of which the first one is taken."""
    while isinstance(value, list | tuple | np.ndarray) and len(value):
        value = value[0]
    value = value.item() if hasattr(value, 'item') else value
    is_text = isinstance(value, str) and re.fullmatch(r'\s*-?[0-9]+\s*', value)
    with suppress(TypeError, ValueError, OverflowError):
        number = int(value)
        is_whole = is_text or (is_number(value) and number == value)
        if is_whole and abs(number) < 1 << 63:
            return number
    text = 'of each person must be a whole number of 64 bits'
    raise ValueError(f"'{key}' {text}, got {reprlib.repr(value)}")


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
