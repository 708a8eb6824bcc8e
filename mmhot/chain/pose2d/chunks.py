"""Tracking of people from keyframe to keyframe, between two detections.

A chunk is the frames after one detection up to the next one. Its frames get people in
three steps:

1. :class:`ChunkTracker` goes from keyframe to keyframe, 1 to 8 frames apart. It
   predicts the boxes of all people, and estimates their poses in these boxes, see
   :class:`~mmhot.chain.pose2d.pose_search.PoseSearch`.
2. In the last frame, people are detected. New ones are tracked backwards through the
   keyframes.
3. :func:`~mmhot.chain.pose2d.filling.fill_chunk` interpolates or estimates the frames
   between the keyframes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mmhot.chain.pose2d.interfaces import Prior
from mmhot.chain.pose2d.pose_search import PoseSearch, SearchSettings, slides
from mmhot.structures.people import (
    Boxes,
    People,
    are_upright,
    box_iou,
    compare_all,
    match_boxes,
)

Redetect = Callable[[int, People], Boxes]
"""Function that detects the people in a frame.

It is called with the index of the frame in the chunk, and the tracked people in it.
"""


@dataclass(frozen=True)
class KeyframeSettings:
    """Distances of keyframes, and people who are new or found again.

    The step from keyframe to keyframe doubles while people are predictable, and is
    halved otherwise. Overlaps are intersections over unions of boxes.
    """

    # Ranges are those of the videos of :class:`Verification` in pose2d/detectors.py.
    # Frames between keyframes, at most. STEP
    max_step: int = 8
    # People are predictable if each one's box overlaps the predicted box by at least
    # this. With half of it .7 % more joints are wrong; with steps of one frame .4 %.
    predictable_overlap: float = 0.75
    # Frames from an earlier frame to the first frame of a chunk; people's motion in
    # between predicts their first boxes. Half of it changes .1 % of the joints, double
    # loses 2 % of the people.
    history: int = 5
    # A detected box shows a tracked person if it overlaps that person's box by at least
    # this. 0 to 2 of it find the same people.
    same_person_overlap: float = 0.3
    # A tracked pose is kept if its box overlaps the detected box by at least this. If
    # all are estimated again, 2.8 % more people of five videos are found, and .8 % more
    # joints are wrong.
    same_box_overlap: float = 0.7
    # A new person is tracked backwards while the confidence is at least this share of
    # its value at the detection. With 0, people are in 6 more of 180 frames.
    min_backward_share: float = 0.6
    # A new person is a duplicate if the keypoints are at least this similar to a
    # tracked person's. 0.5 to 10 of it find the same people, 0 loses 6 %.
    duplicate_similarity: float = 0.5


_SETTINGS = KeyframeSettings()


@dataclass
class Keyframe:
    """People of one frame of a chunk.

    Attributes:
        position (int): Index of the frame in the chunk; negative before it.
        ids (np.ndarray): IDs of the people, the same in all keyframes, (P,).
        people (People): The P people.
    """

    position: int
    ids: np.ndarray
    people: People

    def take(self, rows: np.ndarray) -> 'Keyframe':
        """Select people by index or mask (P,)."""
        return Keyframe(self.position, self.ids[rows], self.people.take(rows))

    def join(self, other: 'Keyframe') -> 'Keyframe':
        """Append the people of the same frame."""
        return Keyframe(
            self.position,
            np.concatenate([self.ids, other.ids]),
            self.people.join(other.people),
        )


class ChunkTracker:
    """Track the people in consecutive frames of one shot from keyframe to keyframe.

    People are searched around their last keypoints. In the last frame, people are
    detected, and new ones and those who were lost are tracked backwards.

    Args:
        num_frames (int): Frames of the chunk.
        previous (Sequence[People]): If the shot is long enough, the people of the frame
            ``KeyframeSettings.history`` frames before the chunk; then the people of the
            frame just before the chunk.
        search (PoseSearch): Search of people in the frames of the chunk.
        redetect (Redetect): Detection in a frame of the chunk.

    Attributes:
        keyframes (list[Keyframe]): People before the chunk, at negative positions, and
            of some of its frames. After :meth:`track`, the last frame is one of them.

    A person stands still for 25 frames. The first step is 4 frames, the next ones 8;
    one keyframe is 5 frames before the next chunk, and one in the last frame:

    >>> box = np.float32([[100, 50, 140, 140]])
    >>> pose = np.linspace((102, 54), (138, 136), 17, dtype=np.float32)
    >>> def estimate(places, boxes, prior):
    ...     poses = np.repeat(pose[None], len(places), 0)
    ...     return People(*boxes, poses, np.full((len(places), 17), 0.9))
    >>> def detect(place, tracked):
    ...     return box, np.ones(1)
    >>> before = estimate([0], (box, np.ones(1)), None)
    >>> search = PoseSearch(estimate, size=(400, 300))
    >>> tracker = ChunkTracker(25, [before, before], search, detect)
    >>> [key.position for key in tracker.track(max_step=8)]
    [-5, -1, 3, 11, 19, 20, 24]
    """

    def __init__(
        self,
        num_frames: int,
        previous: Sequence[People],
        search: PoseSearch,
        redetect: Redetect,
    ) -> None:
        self._search = search
        self._redetect = redetect
        self._end = num_frames - 1
        now, *before = (x.take(search.are_certain(x)) for x in reversed(previous))
        self.keyframes = [Keyframe(-1, np.arange(len(now)), now)]
        for people in before:  # none, or the people of one earlier frame
            boxes = search.boxes_of(people)
            ids = self._match(boxes, search.boxes_of(now), np.arange(len(now)))
            self.keyframes.insert(0, Keyframe(-_SETTINGS.history, ids, people))

    def track(self, max_step: int, is_end: bool = True) -> list[Keyframe]:
        """Track people to the last frame.

        Args:
            max_step (int): Frames between two keyframes, at most.
            is_end (bool): Whether people are detected in the last frame.

        Returns:
            list[Keyframe]: All keyframes.
        """
        step = max_step // 2 if len(self.keyframes) > 1 else 1
        while self.keyframes[-1].position < self._end:
            step = self._advance(step, max_step, is_end)
        return self.keyframes

    def _advance(self, step: int, max_step: int, is_end: bool) -> int:
        """Add a keyframe after a step, and return the next step.

        If people are lost, no keyframe is added, and the next step is half as long.
        """
        now = self.keyframes[-1]
        position = self._next_position(now, step)
        passed = position - now.position
        detects = is_end and position == self._end
        predicted = self._predict(self.keyframes, position)
        people = self._follow(now, position, predicted, detects)
        people = self._search.find_beside(position, people, now.people, predicted)
        found = self._search.are_certain(people)
        found &= ~slides(people, now.people).any(1)
        if passed > 1 and not found.all():
            return passed // 2
        tracked = Keyframe(position, now.ids, people).take(found)
        if detects:
            tracked = self._detect(tracked)
        _, before, after = _common(now.ids, tracked.ids)
        around = self._search.boxes_of(tracked.people)[after]
        overlap = box_iou(predicted[before], around)
        is_predictable = (overlap >= _SETTINGS.predictable_overlap).all()
        self.keyframes.append(tracked)
        self._search_backwards()
        if is_predictable and len(before) == len(now.ids):
            return min(2 * step, max_step)
        return max(step // 2, 1)

    def _follow(
        self, now: Keyframe, position: int, boxes: np.ndarray, detects: bool
    ) -> People:
        """Search people in predicted boxes (P, 4) of another frame."""
        people = now.people
        confidence = people.scores.mean(1)
        if detects:  # people who lie or are doubtful are searched in turned crops, too
            reliable = self._search.are_reliable(people)
            reliable &= are_upright(people.keypoints)
            confidence = np.where(reliable, confidence, np.nan)
        prior = Prior(confidence, self._search.turns_of(people))
        found = self._search.find(position, (boxes, people.bbox_scores), prior)
        if detects:
            return found
        return self._search.find_arms(position, found, people)

    def _next_position(self, now: Keyframe, step: int) -> int:
        """Choose the position of the next keyframe.

        One keyframe is ``KeyframeSettings.history`` frames before the end, where the
        next chunk measures motion.
        """
        if not len(now.ids):
            return self._end
        position = min(now.position + step, self._end)
        needed = self._end + 1 - _SETTINGS.history
        return needed if now.position < needed < position else position

    def _detect(self, tracked: Keyframe) -> Keyframe:
        """Detect the people in a frame; tracked people keep their IDs."""
        search = self._search
        boxes, scores = self._redetect(tracked.position, tracked.people)
        around = search.boxes_of(tracked.people)
        ids = self._match(boxes, around, tracked.ids)
        _, new, old = _common(ids, tracked.ids)
        is_same = box_iou(boxes[new], around[old]) >= _SETTINGS.same_box_overlap
        unmoved = tracked.take(old[is_same])
        unmoved.people.bbox_scores = scores[new[is_same]]
        prior = Prior.unknown(len(ids))
        prior.turns[new] = search.turns_of(tracked.people)[old]
        rest = np.delete(np.arange(len(ids)), new[is_same])
        people = search.find(
            tracked.position, (boxes[rest], scores[rest]), prior.take(rest)
        )
        detected = unmoved.join(Keyframe(tracked.position, ids[rest], people))
        return detected.take(search.are_certain(detected.people))

    def _predict(self, keyframes: Sequence[Keyframe], position: int) -> np.ndarray:
        """Predict boxes (P, 4) of the last keyframe's people, at constant velocity."""
        last = keyframes[-1]
        boxes = self._search.boxes_of(last.people)
        if len(keyframes) < 2 or not len(boxes):
            return boxes
        before = keyframes[-2]
        _, rows, earlier = _common(last.ids, before.ids)
        passed = boxes[rows] - self._search.boxes_of(before.people)[earlier]
        moved = np.zeros((len(boxes), 2), np.float32)
        moved[rows] = passed.reshape(-1, 2, 2).mean(1)
        moved *= (position - last.position) / (last.position - before.position)
        # People move by two widths and heights of their box at most.
        limit = 2 * (boxes[:, 2:] - boxes[:, :2])
        shifted = boxes.reshape(-1, 2, 2) + np.clip(moved, -limit, limit)[:, None]
        shifted = shifted.clip(0, self._search.size).reshape(-1, 4)
        inside = (shifted[:, 2:] - shifted[:, :2] > 1).all(1, keepdims=True)
        return np.where(inside, shifted, boxes).astype(np.float32)

    def _match(
        self, boxes: np.ndarray, tracked: np.ndarray, ids: np.ndarray
    ) -> np.ndarray:
        """Assign IDs (P,) to detected boxes (P, 4).

        Boxes that overlap one of the ``tracked`` boxes (Q, 4) get its ID from ``ids``
        (Q,), and the others new IDs.
        """
        overlap = box_iou(boxes[:, None], tracked[None])
        last = max(int(key.ids.max(initial=-1)) for key in self.keyframes)
        numbers = last + 1 + np.arange(len(boxes))
        rows, columns = match_boxes(overlap, _SETTINGS.same_person_overlap)
        numbers[rows] = ids[columns]
        return numbers

    def _search_backwards(self) -> None:
        """Track people who are new in the last keyframe through the earlier ones."""
        *_, before, last = self.keyframes
        path = [last.take(~np.isin(last.ids, before.ids))]
        least = _SETTINGS.min_backward_share * path[0].people.scores.mean(1)
        least = np.maximum(least, SearchSettings.min_confidence)
        for row in range(len(self.keyframes) - 2, 0, -1):
            key = self.keyframes[row]
            last = path[-1]
            if key.position < 0 or not len(last.ids):
                return
            boxes = self._predict(path[-2:], key.position), last.people.bbox_scores
            prior = self._search.prior_of(last.people)
            people = self._search.find(key.position, boxes, prior)
            similarity = compare_all(people, key.people)
            is_new = people.scores.mean(1) >= least
            is_new &= ~(similarity >= _SETTINGS.duplicate_similarity).any(1)
            path.append(Keyframe(key.position, last.ids, people).take(is_new))
            least = least[is_new]
            self.keyframes[row] = key.join(path[-1])


def _common(ids: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the IDs (S,) that arrays (P,) and (Q,) share, and their rows in both."""
    return np.intersect1d(ids, other, assume_unique=True, return_indices=True)
