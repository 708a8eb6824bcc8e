"""Tracking of people from keyframe to keyframe, between two detections."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mmhot.frames.sources import Frame
from mmhot.pose2d.interfaces import Prior
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.people import (
    NUM_BODY,
    Boxes,
    People,
    Placed,
    are_upright,
    box_iou,
    boxes_around,
    compare_all,
    mean_confidence,
    quarter_turns,
)

PADDING = 0.15
"""Margin of boxes around keypoints, as a share of the longer side."""
MIN_CONFIDENCE = 0.2
"""People with a lower mean confidence are not searched in other frames."""
# Upright people with this mean confidence need no turned crops at each detection. Those
# who are not upright are first estimated in crops turned like their last pose.
_RELIABLE = 0.6
MAX_STEP = 8
"""Most frames from one keyframe to the next, by default."""
# Their number doubles while boxes that are predicted overlap those of the keypoints by
# at least the share, else it is halved.
_PREDICTABLE = 0.75
HISTORY = 5
"""Frames before a chunk whose people, with those of the last one, show motion."""
# Boxes around the keypoints that overlap the box they were found in by less are
# estimated again.
_MIN_OVERLAP = 0.6
# Intersection over union from which a detection is a tracked person.
_SAME_PERSON = 0.3
# With more the pose that was tracked is kept.
_SAME_BOX = 0.7
# People searched before their detection: least share of its confidence, and keypoint
# similarity from which they are another tracked person.
_MIN_SHARE, _DUPLICATE = 0.6, 0.5

_ARMS = get_skeleton('coco-17').indices(
    f'{side}_{joint}' for side in ('left', 'right') for joint in ('elbow', 'wrist')
)
# A wrist is lost below the first confidence if it had the second. It is searched in a
# box with this margin, and taken with this gain: arms may leave the box of before.
_LOST, _SEEN, _MARGIN, _GAIN = 0.3, 0.5, 0.35, 0.3

Estimate = Callable[[list[Frame], list[Boxes], list[Prior]], list[People]]
"""Estimates the people in boxes of frames, given their results in other frames."""
Redetect = Callable[[Frame, People], Boxes]
"""Detects the people of a frame, given the poses of tracked people in it."""


@dataclass
class Keyframe:
    """People of one frame of a chunk, with numbers (P,) that all keyframes share."""

    position: int
    ids: np.ndarray
    people: People

    def take(self, rows: np.ndarray) -> 'Keyframe':
        """Select people by index or mask."""
        return Keyframe(self.position, self.ids[rows], self.people.take(rows))

    def join(self, other: 'Keyframe') -> 'Keyframe':
        """Append the people of the same frame."""
        ids = np.concatenate([self.ids, other.ids])
        return Keyframe(self.position, ids, self.people.join(other.people))


def track_chunk(
    frames: list[Frame],
    previous: Sequence[People],
    estimate: Estimate,
    redetect: Redetect | None = None,
    max_step: int = MAX_STEP,
) -> list[Keyframe]:
    """Track the people in consecutive frames of one shot from keyframe to keyframe.

    People are searched around their last keypoints. In the last frame they are
    detected, and new people searched backwards.

    ``previous`` are the people of the frame before the first, after those of the frame
    :data:`HISTORY` frames before it, if both are of the shot. Keyframes are at most
    ``max_step`` frames apart.

    Returns:
        list[Keyframe]: People before the chunk, at negative positions, and of some of
        its frames, the last one included.
    """
    size = frames[0].image.shape[1::-1]
    keyframes = _recall(previous, size)
    step, last = (max_step // 2 if len(keyframes) > 1 else 1), len(frames) - 1
    while keyframes[-1].position < last:
        now = keyframes[-1]
        position = _next_position(now, step, last)
        detects = position == last and redetect is not None
        confidence = now.people.scores.mean(1)
        if detects:
            reliable = are_upright(now.people.keypoints) & (confidence >= _RELIABLE)
            confidence = np.where(reliable, confidence, np.nan)
        predicted = _predict(keyframes, position, size)
        boxes = predicted, now.people.bbox_scores
        prior = Prior(confidence, turns_of(now.people))
        [people] = estimate_closely([frames[position]], [boxes], [prior], estimate)
        if not detects:
            _find_arms(frames[position], people, now.people.scores, estimate)
        certain = are_certain(people)
        tracked = Keyframe(position, now.ids, people).take(certain)
        passed = position - now.position
        if passed > 1 and len(tracked.ids) < len(now.ids):
            step = passed // 2
            continue
        known, rows = rows_of(now.ids, tracked.ids)
        overlap = box_iou(
            predicted[known], search_boxes(tracked.people.take(rows), size)
        )
        is_predictable = known.all() and (overlap >= _PREDICTABLE).all()
        step = min(2 * step, max_step) if is_predictable else max(step // 2, 1)
        if detects:
            first_new = max(int(key.ids.max(initial=-1)) for key in keyframes) + 1
            tracked = _detect(frames[-1], tracked, first_new, estimate, redetect)
        keyframes.append(tracked)
    _search_backwards(frames, keyframes, estimate)
    return keyframes


def _find_arms(
    frame: Frame, people: People, before: np.ndarray, estimate: Estimate
) -> None:
    """Search lost wrists of reliable people in larger boxes; scores before, (P, K)."""
    wrists = _ARMS[1::2]
    if people.scores.shape[1] < NUM_BODY:
        return
    lost = (people.scores[:, wrists] < _LOST) & (before[:, wrists] >= _SEEN)
    rows = np.flatnonzero(lost.any(1) & (mean_confidence(people.scores) >= _RELIABLE))
    if not len(rows):
        return
    size, own = frame.image.shape[1::-1], people.take(rows)
    larger = boxes_around(own.keypoints, own.scores, _MARGIN, size)
    [found] = estimate([frame], [(larger, own.bbox_scores)], [prior_of(own)])
    row, column = np.nonzero(found.scores[:, _ARMS] >= own.scores[:, _ARMS] + _GAIN)
    joint = np.array(_ARMS)[column]
    people.keypoints[rows[row], joint] = found.keypoints[row, joint]
    people.scores[rows[row], joint] = found.scores[row, joint]


def _next_position(last: Keyframe, step: int, end: int) -> int:
    """Choose the next keyframe; one is where the next chunk looks for motion."""
    if not last.ids.size:
        return end
    position = min(last.position + step, end)
    history = end + 1 - HISTORY
    return history if last.position < history < position else position


def _recall(previous: Sequence[People], size: tuple[int, int]) -> list[Keyframe]:
    """Number the people of the last frame, and of an earlier one if there is one."""
    now, *before = (people.take(are_certain(people)) for people in reversed(previous))
    numbered = [Keyframe(-1, np.arange(len(now)), now)]
    for people in before:
        boxes = search_boxes(people, size), search_boxes(now, size)
        ids = _match(*boxes, numbered[0].ids, len(now))
        numbered.insert(0, Keyframe(-HISTORY, ids, people))
    return numbered


def are_certain(people: People) -> np.ndarray:
    """Mark people (P,) whose mean confidence is high enough to search them."""
    return people.scores.mean(1) >= MIN_CONFIDENCE


def prior_of(people: People) -> Prior:
    """Return the prior of people for neighboring frames."""
    upright = are_upright(people.keypoints)
    return Prior(np.where(upright, -np.inf, people.scores.mean(1)), turns_of(people))


def turns_of(people: People) -> np.ndarray:
    """Return the quarter turns of reliable people, see Prior, 0 of others, (P,)."""
    reliable = people.scores.mean(1) >= _RELIABLE
    return np.where(reliable, quarter_turns(people.keypoints), 0)


def search_boxes(people: People, size: tuple[int, int]) -> np.ndarray:
    """Compute boxes (P, 4) to search people in another frame, of a size (w, h)."""
    boxes = boxes_around(people.keypoints, people.scores, PADDING, size)
    return np.where(np.isfinite(boxes), boxes, people.bboxes).astype(np.float32)


def _detect(
    frame: Frame,
    tracked: Keyframe,
    first_new: int,
    estimate: Estimate,
    redetect: Redetect,
) -> Keyframe:
    """Detect the people of a frame; tracked ones keep their numbers."""
    boxes, scores = redetect(frame, tracked.people)
    around = search_boxes(tracked.people, frame.image.shape[1::-1])
    ids = _match(boxes, around, tracked.ids, first_new)
    known, rows = rows_of(ids, tracked.ids)
    same = np.zeros(len(ids), bool)
    same[known] = box_iou(boxes[known], around[rows]) >= _SAME_BOX
    kept = tracked.take(rows[same[known]])
    kept.people.bbox_scores = scores[same]
    others = boxes[~same], scores[~same]
    unknown = Prior.unknown(len(others[0]))
    [people] = estimate_closely([frame], [others], [unknown], estimate)
    found = kept.join(Keyframe(tracked.position, ids[~same], people))
    _find_arms(frame, found.people, np.ones_like(found.people.scores), estimate)
    return found.take(are_certain(found.people))


def estimate_closely(
    frames: list[Frame], boxes: list[Boxes], priors: list[Prior], estimate: Estimate
) -> list[People]:
    """Estimate people, and again in other boxes where keypoints are off the box."""
    people, rows, requests = estimate(frames, boxes, priors), [], []
    for index, (frame, own, prior) in enumerate(
        zip(frames, people, priors, strict=True)
    ):
        boxes = search_boxes(own, frame.image.shape[1::-1])
        off = (box_iou(boxes, own.bboxes) < _MIN_OVERLAP) & are_certain(own)
        if off.any():
            confidence = np.fmax(prior.confidence, own.scores.mean(1))
            known = Prior(confidence, turns_of(own)).take(off)
            rows.append((index, np.flatnonzero(off)))
            requests.append((frame, (boxes[off], own.bbox_scores[off]), known))
    if not rows:
        return people
    again = estimate(*map(list, zip(*requests, strict=True)))
    for (index, off), new in zip(rows, again, strict=True):
        old = people[index]
        better = np.flatnonzero(new.scores.mean(1) >= old.scores[off].mean(1))
        chosen = np.arange(len(old))
        chosen[off[better]] = len(old) + better
        people[index] = old.join(new).take(chosen)
    return people


def _predict(
    keyframes: list[Keyframe], position: int, size: tuple[int, int]
) -> np.ndarray:
    """Predict boxes (P, 4) of the last keyframe's people, moving at constant speed."""
    last = keyframes[-1]
    boxes = search_boxes(last.people, size)
    if len(keyframes) < 2 or not len(boxes):
        return boxes
    before = keyframes[-2]
    known, rows = rows_of(last.ids, before.ids)
    earlier = search_boxes(before.people.take(rows), size)
    moved = np.zeros((len(boxes), 2), np.float32)
    moved[known] = (boxes[known] - earlier).reshape(-1, 2, 2).mean(1)
    moved *= (position - last.position) / (last.position - before.position)
    limit = 2 * (boxes[:, 2:] - boxes[:, :2])
    shifted = boxes.reshape(-1, 2, 2) + np.clip(moved, -limit, limit)[:, None]
    shifted = shifted.clip(0, size).reshape(-1, 4)
    inside = (shifted[:, 2:] - shifted[:, :2] > 1).all(1, keepdims=True)
    return np.where(inside, shifted, boxes).astype(np.float32)


def _match(
    boxes: np.ndarray, tracked: np.ndarray, ids: np.ndarray, first_new: int
) -> np.ndarray:
    """Number detected people (P,) by the tracked people whose boxes they overlap."""
    # Importing it takes 0.2 s, for which mmhot lift would wait.
    from scipy.optimize import linear_sum_assignment

    overlap = box_iou(boxes[:, None], tracked[None])
    numbers = first_new + np.arange(len(boxes))
    for row, column in zip(*linear_sum_assignment(-overlap), strict=True):
        if overlap[row, column] >= _SAME_PERSON:
            numbers[row] = ids[column]
    return numbers


def _search_backwards(
    frames: list[Frame], keyframes: list[Keyframe], estimate: Estimate
) -> None:
    """Search those first detected in the last keyframe in the ones before."""
    found = [keyframes[-1].take(~np.isin(keyframes[-1].ids, keyframes[-2].ids))]
    least = np.maximum(_MIN_SHARE * found[0].people.scores.mean(1), MIN_CONFIDENCE)
    for row in range(len(keyframes) - 2, 0, -1):
        position = keyframes[row].position
        if position < 0 or not len(found[-1].ids):
            return
        frame, last = frames[position], found[-1].people
        predicted = _predict(found[-2:], position, frame.image.shape[1::-1])
        boxes = predicted, last.bbox_scores
        [people] = estimate_closely([frame], [boxes], [prior_of(last)], estimate)
        existing = keyframes[row].people
        similarity = compare_all(
            Placed(people.keypoints, people.bboxes),
            Placed(existing.keypoints, existing.bboxes),
        )
        kept = people.scores.mean(1) >= least
        kept &= ~(similarity >= _DUPLICATE).any(1)
        found.append(Keyframe(position, found[-1].ids, people).take(kept))
        least = least[kept]
        keyframes[row] = keyframes[row].join(found[-1])


def rows_of(ids: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which ids are among others, and their rows there."""
    known = np.isin(ids, other)
    order = np.argsort(other)
    return known, order[np.searchsorted(other, ids[known], sorter=order)]
