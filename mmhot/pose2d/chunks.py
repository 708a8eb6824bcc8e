"""Tracking of people from keyframe to keyframe, between two detections."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mmhot.frames.sources import Frame
from mmhot.pose2d.interfaces import Prior
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.people import (
    NUM_BODY,
    Boxes,
    People,
    are_upright,
    box_iou,
    boxes_around,
    compare_all,
    match_boxes,
    mean_confidence,
    quarter_turns,
)

_JOINTS = 'shoulder', 'elbow', 'wrist'
# Indices of these in the left and the right arm, (2, 3).
_ARMS = np.array(
    [
        get_skeleton('coco-17').indices(f'{side}_{joint}' for joint in _JOINTS)
        for side in ('left', 'right')
    ]
)

Estimate = Callable[[list[Frame], list[Boxes], list[Prior]], list[People]]
"""Estimates the people in boxes of frames, given their results in other frames."""
Redetect = Callable[[Frame, People], Boxes]
"""Detects the people of a frame, given the poses of tracked people in it."""
Lost = tuple[np.ndarray, np.ndarray]
"""Numbers (P,) and predicted boxes (P, 4) of people who are lost in a frame."""
_UNKNOWN = 1 << 30  # number of new people, larger than those of tracked ones


@dataclass(frozen=True)
class KeyframeSettings:
    """Thresholds of tracking from keyframe to keyframe.

    Overlaps are intersections over unions of boxes. Upright people who are reliable
    need no turned crops at each detection; others are first estimated in crops turned
    like their last pose. The step from keyframe to keyframe doubles while people are
    predictable, else it is halved. Wrists that are lost, or jump, are searched in
    larger boxes, as arms may leave the box of before.
    """

    padding: float = 0.15  # margin of boxes around keypoints, share of the longer side
    min_confidence: float = 0.2  # mean of people who are followed; higher follows fewer
    reliable: float = 0.6  # mean confidence of reliable people; higher turns more crops
    max_step: int = 8  # frames between keyframes; higher is faster and less accurate
    predictable: float = 0.75  # overlap with predicted boxes; higher has smaller steps
    history: int = 5  # frames before a chunk, whose people show motion
    min_overlap: float = 0.6  # of boxes after and before; higher estimates more again
    same_person: float = 0.3  # overlap of a tracked person; higher starts more tracks
    same_box: float = 0.7  # overlap that keeps the tracked pose; higher keeps fewer
    min_share: float = 0.6  # of the confidence at detection, in the frames before it
    duplicate: float = 0.5  # keypoint similarity there that shows a tracked person
    lost: float = 0.3  # confidence below which a wrist is lost,
    seen: float = 0.5  # if it had this one before
    jump: float = 0.5  # distance from where such a wrist was expected, arm lengths
    margin: float = 0.35  # of the box to search it in, share of the longer side
    gain: float = 0.3  # rise of its confidence there for which it is taken,
    loss: float = 0.2  # or fall up to which it is, if half as far from the expected


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


@dataclass(frozen=True)
class PoseSearch:
    """Search of people in the frames of a shot, by their poses in other frames."""

    estimate: Estimate  # estimates people in boxes
    size: tuple[int, int]  # width and height of the frames in pixels

    settings = KeyframeSettings()

    def boxes_of(self, people: People) -> np.ndarray:
        """Compute boxes (P, 4) to search people in another frame."""
        padding = self.settings.padding
        boxes = boxes_around(people.keypoints, people.scores, padding, self.size)
        return np.where(np.isfinite(boxes), boxes, people.bboxes).astype(np.float32)

    def are_certain(self, people: People) -> np.ndarray:
        """Mark people (P,) whose mean confidence is high enough to search them."""
        return people.scores.mean(1) >= self.settings.min_confidence

    def prior_of(self, people: People) -> Prior:
        """Return the prior of people for neighboring frames."""
        upright = are_upright(people.keypoints)
        confidence = np.where(upright, -np.inf, people.scores.mean(1))
        return Prior(confidence, self.turns_of(people))

    def turns_of(self, people: People) -> np.ndarray:
        """Return the quarter turns of reliable people, see Prior, 0 of others, (P,)."""
        reliable = people.scores.mean(1) >= self.settings.reliable
        return np.where(reliable, quarter_turns(people.keypoints), 0)

    def find(
        self, frames: list[Frame], boxes: list[Boxes], priors: list[Prior]
    ) -> list[People]:
        """Estimate people, and again in other boxes where keypoints are off the box."""
        people, rows, requests = self.estimate(frames, boxes, priors), [], []
        columns = zip(frames, people, priors, strict=True)
        for index, (frame, poses, prior) in enumerate(columns):
            around = self.boxes_of(poses)
            off = box_iou(around, poses.bboxes) < self.settings.min_overlap
            off &= self.are_certain(poses)
            if off.any():
                confidence = np.fmax(prior.confidence, poses.scores.mean(1))
                prior = Prior(confidence, self.turns_of(poses)).take(off)
                rows.append((index, np.flatnonzero(off)))
                requests.append((frame, (around[off], poses.bbox_scores[off]), prior))
        if not rows:
            return people
        again = self.estimate(*map(list, zip(*requests, strict=True)))
        for (index, places), new in zip(rows, again, strict=True):
            old = people[index]
            better = np.flatnonzero(new.scores.mean(1) >= old.scores[places].mean(1))
            chosen = np.arange(len(old))
            chosen[places[better]] = len(old) + better
            people[index] = old.join(new).take(chosen)
        return people

    def find_arms(
        self, frames: list[Frame], people: list[People], expected: list[People]
    ) -> None:
        """Search wrists of reliable people in larger boxes if they are lost, or jump.

        The same people are expected in each frame; boxes hold their hands, too. Arms
        that were seen are replaced where the larger box shows them with more
        confidence, or nearer to the expected.
        """
        rows, requests, settings = [], [], self.settings
        columns = zip(frames, people, expected, strict=True)
        for index, (frame, poses, before) in enumerate(columns):
            if poses.scores.shape[1] < NUM_BODY:
                return
            seen = before.scores[:, _ARMS[:, 2]] >= settings.seen
            searched = poses.scores[:, _ARMS[:, 2]] < settings.lost
            searched |= _arm_distances(poses, before) > settings.jump
            reliable = mean_confidence(poses.scores) >= settings.reliable
            chosen = np.flatnonzero((searched & seen).any(1) & reliable)
            if len(chosen):
                few, other = poses.take(chosen), before.take(chosen)
                arms = other.keypoints[:, _ARMS]
                hands = few.keypoints[:, _ARMS[:, 0]] + arms[:, :, 2] - arms[:, :, 0]
                points = np.concatenate([few.keypoints, hands], 1)
                wrists = other.scores[:, _ARMS[:, 2]]
                scores = np.concatenate([few.scores, wrists], 1)
                larger = boxes_around(points, scores, settings.margin, self.size)
                rows.append((index, chosen))
                requests.append((frame, (larger, few.bbox_scores), self.prior_of(few)))
        if not rows:
            return
        again = self.estimate(*map(list, zip(*requests, strict=True)))
        for (index, chosen), second in zip(rows, again, strict=True):
            poses, before = people[index], expected[index].take(chosen)
            first = poses.take(chosen)
            gain = second.scores[:, _ARMS[:, 1:]] - first.scores[:, _ARMS[:, 1:]]
            jump, rest = (_arm_distances(x, before) for x in (first, second))
            nearer = (jump > settings.jump) & (rest < jump / 2)
            nearer &= gain[..., 1] >= -settings.loss
            row, arm, joint = np.nonzero((gain >= settings.gain) | nearer[..., None])
            joint = _ARMS[arm, joint + 1]
            poses.keypoints[chosen[row], joint] = second.keypoints[row, joint]
            poses.scores[chosen[row], joint] = second.scores[row, joint]


def _arm_distances(people: People, expected: People) -> np.ndarray:
    """Return distances of wrists from the expected, relative to shoulders, (P, 2).

    They are in arm lengths, of the longest arm of both poses.
    """
    arms = np.stack([people.keypoints[:, _ARMS], expected.keypoints[:, _ARMS]])
    lengths = np.linalg.norm(np.diff(arms, axis=3), axis=-1).sum(-1)
    longest = lengths.max((0, 2))
    offset = arms[0] - arms[1]
    moved = offset[:, :, 2] - offset[:, :, 0]
    return np.linalg.norm(moved, axis=-1) / longest.clip(1e-6)[:, None]


def track_chunk(
    frames: list[Frame],
    previous: Sequence[People],
    search: PoseSearch,
    redetect: Redetect,
    max_step: int = KeyframeSettings.max_step,
    is_end: bool = True,
) -> list[Keyframe]:
    """Track the people in consecutive frames of one shot from keyframe to keyframe.

    People are searched around their last keypoints. In the last frame, if it
    ``is_end``, they are detected, and new people searched backwards. Where a person is
    lost before, people are detected, too.

    ``previous`` are the people of the frame before the first, after those of the frame
    ``settings.history`` frames before it, if both are of the shot. Keyframes are at
    most ``max_step`` frames apart.

    Returns:
        list[Keyframe]: People before the chunk, at negative positions, and of some of
        its frames, the last one included.
    """
    tracker = _ChunkTracker(frames, previous, search)
    tracker.track(redetect, max_step, is_end)
    tracker.search_backwards()
    return tracker.keyframes


class _ChunkTracker:
    """Keyframes of a chunk of frames, so far."""

    def __init__(
        self, frames: list[Frame], previous: Sequence[People], search: PoseSearch
    ) -> None:
        self._frames, self._search, self._settings = frames, search, search.settings
        now, *before = (x.take(search.are_certain(x)) for x in reversed(previous))
        self.keyframes = [Keyframe(-1, np.arange(len(now)), now)]
        for people in before:  # at most one
            old, new = search.boxes_of(people), search.boxes_of(now)
            ids = self._match(old, new, np.arange(len(now)), len(now))
            self.keyframes.insert(0, Keyframe(-self._settings.history, ids, people))

    def track(self, redetect: Redetect, max_step: int, is_end: bool) -> None:
        """Append keyframes up to the last frame, in which people are detected."""
        search, settings = self._search, self._settings
        last = len(self._frames) - 1
        step = max_step // 2 if len(self.keyframes) > 1 else 1
        while (now := self.keyframes[-1]).position < last:
            position = self._next_position(now, step)
            frame = self._frames[position]
            detects = is_end and position == last
            confidence = now.people.scores.mean(1)
            if detects:
                reliable = are_upright(now.people.keypoints)
                reliable &= confidence >= settings.reliable
                confidence = np.where(reliable, confidence, np.nan)
            predicted = self._predict(self.keyframes, position)
            boxes = predicted, now.people.bbox_scores
            prior = Prior(confidence, search.turns_of(now.people))
            [people] = search.find([frame], [boxes], [prior])
            if not detects:
                search.find_arms([frame], [people], [now.people])
            certain = search.are_certain(people)
            tracked = Keyframe(position, now.ids, people).take(certain)
            passed = position - now.position
            if passed > 1 and len(tracked.ids) < len(now.ids):
                step = passed // 2
                continue
            if not detects:
                lost = now.ids[~certain], predicted[~certain]
                tracked = self._find_lost(frame, tracked, lost, redetect)
            is_tracked, rows = rows_of(now.ids, tracked.ids)
            around = search.boxes_of(tracked.people.take(rows))
            overlap = box_iou(predicted[is_tracked], around)
            is_predictable = (overlap >= settings.predictable).all()
            is_predictable &= is_tracked.all()
            step = min(2 * step, max_step) if is_predictable else max(step // 2, 1)
            if detects:
                tracked = self._detect(frame, tracked, redetect)
            self.keyframes.append(tracked)

    def _next_position(self, now: Keyframe, step: int) -> int:
        """Choose the next keyframe; one is where the next chunk looks for motion."""
        last = len(self._frames) - 1
        if not now.ids.size:
            return last
        position = min(now.position + step, last)
        needed = last + 1 - self._settings.history
        return needed if now.position < needed < position else position

    def _detect(self, frame: Frame, tracked: Keyframe, redetect: Redetect) -> Keyframe:
        """Detect the people of a frame; tracked ones keep their numbers."""
        search = self._search
        boxes, scores = redetect(frame, tracked.people)
        around = search.boxes_of(tracked.people)
        first_new = max(int(key.ids.max(initial=-1)) for key in self.keyframes) + 1
        ids = self._match(boxes, around, tracked.ids, first_new)
        is_old, rows = rows_of(ids, tracked.ids)
        same = np.zeros(len(ids), bool)
        same[is_old] = box_iou(boxes[is_old], around[rows]) >= self._settings.same_box
        unmoved = tracked.take(rows[same[is_old]])
        unmoved.people.bbox_scores = scores[same]
        prior = Prior.unknown(len(ids))
        prior.turns[is_old] = search.turns_of(tracked.people)[rows]
        others = boxes[~same], scores[~same]
        [people] = search.find([frame], [others], [prior.take(~same)])
        detected = unmoved.join(Keyframe(tracked.position, ids[~same], people))
        seen = replace(detected.people, scores=np.ones_like(detected.people.scores))
        search.find_arms([frame], [detected.people], [seen])
        return detected.take(search.are_certain(detected.people))

    def _find_lost(
        self, frame: Frame, tracked: Keyframe, lost: Lost, redetect: Redetect
    ) -> Keyframe:
        """Detect people who are lost in a frame, near their predicted boxes."""
        search, (numbers, predicted) = self._search, lost
        corners = predicted.reshape(-1, 2, 2)
        inside = ((corners > 1) & (corners < np.subtract(search.size, 1))).all((1, 2))
        if not inside.any():
            return tracked
        boxes, scores = redetect(frame, tracked.people)
        around = np.concatenate([search.boxes_of(tracked.people), predicted])
        ids = self._match(boxes, around, np.r_[tracked.ids, numbers], _UNKNOWN)
        rows = np.isin(ids, numbers[inside])
        prior = Prior.unknown(rows.sum())
        [people] = search.find([frame], [(boxes[rows], scores[rows])], [prior])
        similar = compare_all(people, tracked.people) >= self._settings.duplicate
        certain = search.are_certain(people) & ~similar.any(1)
        return tracked.join(Keyframe(tracked.position, ids[rows], people).take(certain))

    def _predict(self, keyframes: Sequence[Keyframe], position: int) -> np.ndarray:
        """Predict boxes (P, 4) of the last one's people, moving at constant speed."""
        last, size = keyframes[-1], self._search.size
        boxes = self._search.boxes_of(last.people)
        if len(keyframes) < 2 or not len(boxes):
            return boxes
        before = keyframes[-2]
        is_old, rows = rows_of(last.ids, before.ids)
        earlier = self._search.boxes_of(before.people.take(rows))
        moved = np.zeros((len(boxes), 2), np.float32)
        moved[is_old] = (boxes[is_old] - earlier).reshape(-1, 2, 2).mean(1)
        moved *= (position - last.position) / (last.position - before.position)
        limit = 2 * (boxes[:, 2:] - boxes[:, :2])
        shifted = boxes.reshape(-1, 2, 2) + np.clip(moved, -limit, limit)[:, None]
        shifted = shifted.clip(0, size).reshape(-1, 4)
        inside = (shifted[:, 2:] - shifted[:, :2] > 1).all(1, keepdims=True)
        return np.where(inside, shifted, boxes).astype(np.float32)

    def _match(
        self, boxes: np.ndarray, tracked: np.ndarray, ids: np.ndarray, first_new: int
    ) -> np.ndarray:
        """Number detected people (P,) by tracked people whose boxes they overlap."""
        overlap = box_iou(boxes[:, None], tracked[None])
        numbers = first_new + np.arange(len(boxes))
        for row, column in zip(*match_boxes(overlap), strict=True):
            if overlap[row, column] >= self._settings.same_person:
                numbers[row] = ids[column]
        return numbers

    def search_backwards(self) -> None:
        """Search those first detected in the last keyframe in the ones before."""
        keyframes, search, settings = self.keyframes, self._search, self._settings
        path = [keyframes[-1].take(~np.isin(keyframes[-1].ids, keyframes[-2].ids))]
        least = settings.min_share * path[0].people.scores.mean(1)
        least = np.maximum(least, settings.min_confidence)
        for row in range(len(keyframes) - 2, 0, -1):
            position, last = keyframes[row].position, path[-1]
            if position < 0 or not len(last.ids):
                return
            boxes = self._predict(path[-2:], position), last.people.bbox_scores
            prior = search.prior_of(last.people)
            [people] = search.find([self._frames[position]], [boxes], [prior])
            similarity = compare_all(people, keyframes[row].people)
            is_new = people.scores.mean(1) >= least
            is_new &= ~(similarity >= settings.duplicate).any(1)
            path.append(Keyframe(position, last.ids, people).take(is_new))
            least = least[is_new]
            keyframes[row] = keyframes[row].join(path[-1])


def rows_of(ids: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which ids are among others, and their rows there."""
    is_there = np.isin(ids, other)
    order = np.argsort(other)
    return is_there, order[np.searchsorted(other, ids[is_there], sorter=order)]
