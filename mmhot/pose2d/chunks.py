"""Tracking of people from keyframe to keyframe, between two detections."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

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
_WRISTS = _ARMS[:, 2]
_NOBODY = np.zeros(0, int)  # rows of no person

Estimate = Callable[[np.ndarray, Boxes, Prior], People]
"""Estimates people in boxes, each in the frame of a place (P,) in the chunk."""
Redetect = Callable[[int, People], Boxes]
"""Detects the people of the frame of a place, given the tracked people in it."""


@dataclass(frozen=True)
class KeyframeSettings:
    """Thresholds of tracking from keyframe to keyframe.

    Overlaps are intersections over unions of boxes. Upright people who are reliable
    need no turned crops at each detection; others are first estimated in crops turned
    like their last pose. The step from keyframe to keyframe doubles while people are
    predictable, and is halved otherwise. Wrists that are lost or jump are searched in
    larger boxes, as arms may leave the previous box.
    """

    # Margin of boxes around keypoints, as a share of the keypoints' longer side.
    padding: float = 0.15
    # Mean confidence from which a person is tracked. Higher values track fewer people.
    min_confidence: float = 0.2
    # Mean confidence from which a person is reliable. Higher values turn more crops.
    reliable_confidence: float = 0.6
    max_step: int = 8  # frames between keyframes; higher is faster and less accurate
    # Overlap of boxes with their prediction, from which all people are predictable.
    # Higher values take smaller steps.
    predictable_overlap: float = 0.75
    # The people of the frame this many frames before the last one of the previous chunk
    # show how fast all people move.
    history: int = 5
    # Overlap of the box around the estimated keypoints with the box that was searched,
    # below which the keypoints are off the box. Higher values estimate more people
    # again.
    min_overlap: float = 0.6
    # Limbs that were missed once stay outside of the box around the other keypoints.
    # People with a mean confidence below this are also searched in a larger box if they
    # are not upright or not reliable. Higher values search more people twice.
    certain_confidence: float = 0.8
    # Margin of the larger box around the keypoints, as a share of their extent.
    wide_margin: float = 0.5
    wide_scale: float = 1.6  # least size of the larger box, as a multiple of the box
    # Rise of the mean confidence for which the pose in the larger box is accepted.
    # Higher values accept fewer.
    wide_gain: float = 0.02
    # Confidence of a keypoint outside of a detected box, for which the pose in the
    # larger box is accepted: there, confidences are higher, and keypoints less exact.
    # Higher values accept fewer.
    wide_seen: float = 0.3
    # Drop of the mean confidence from frame to frame for which upright people are
    # searched in a larger box. Higher values search fewer people twice.
    wide_drop: float = 0.1
    # Overlap with a tracked person's box, from which a detected person is the same one.
    # Higher values start more tracks.
    same_person_overlap: float = 0.3
    # Overlap with the detected box, from which the tracked pose is kept. Higher values
    # estimate more people again.
    same_box_overlap: float = 0.7
    # A new person is tracked backwards while the mean confidence is at least this share
    # of its value at the detection. Higher values start tracks later.
    min_backward_share: float = 0.6
    # Keypoint similarity to a tracked person from which a new person is dropped as a
    # duplicate. Higher values start more tracks.
    duplicate_similarity: float = 0.5
    # Keypoint similarity of two tracked people from which one has slid onto the other,
    # unless they were as similar before. Higher values let more people share a body.
    slid_similarity: float = 0.6
    # Seconds after a person was lost at which people are detected again.
    redetect_after: tuple[float, ...] = (0.1, 0.2, 0.4)
    # Confidence below which a wrist is lost. Higher values search more arms again.
    lost_wrist: float = 0.3
    # Confidence that a wrist must have in the expected pose, if it is to be searched
    # when it is lost or jumps. Higher values search fewer arms again.
    expected_wrist: float = 0.5
    # Distance of a wrist from where it is expected, in arm lengths, above which it
    # jumps. Higher values search fewer arms again.
    wrist_jump: float = 0.5
    # Margin of the box in which arms are searched, as a share of its longer side.
    arm_margin: float = 0.35
    # Rise of the confidence of an elbow or wrist for which its second estimate is
    # accepted. Higher values accept fewer.
    joint_gain: float = 0.3
    # A wrist that jumped may lose this much confidence if its second estimate is less
    # than half as far from where it is expected.
    max_wrist_loss: float = 0.2


@dataclass
class Keyframe:
    """People of one frame of a chunk, with numbers (P,) that all keyframes share."""

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


@dataclass(frozen=True)
class PoseSearch:
    """Search of people in the frames of a shot, by their poses in other frames."""

    estimate: Estimate  # function that estimates the people in boxes
    size: tuple[int, int]  # width and height of the frames in pixels

    settings = KeyframeSettings()

    def boxes_of(self, people: People) -> np.ndarray:
        """Compute boxes (P, 4) to search people in another frame."""
        boxes = boxes_around(
            people.keypoints, people.scores, self.settings.padding, self.size
        )
        return np.where(np.isfinite(boxes), boxes, people.bboxes).astype(np.float32)

    def are_certain(self, people: People) -> np.ndarray:
        """Mark people (P,) with a mean confidence that is high enough to track them."""
        return people.scores.mean(1) >= self.settings.min_confidence

    def prior_of(self, people: People) -> Prior:
        """Return the prior of people for neighboring frames."""
        upright = are_upright(people.keypoints)
        confidence = np.where(upright, -np.inf, people.scores.mean(1))
        return Prior(confidence, self.turns_of(people))

    def turns_of(self, people: People) -> np.ndarray:
        """Return quarter turns (P,) as in Prior; people who are not reliable have 0."""
        reliable = people.scores.mean(1) >= self.settings.reliable_confidence
        return np.where(reliable, quarter_turns(people.keypoints), 0)

    def find(self, places: int | np.ndarray, boxes: Boxes, prior: Prior) -> People:
        """Estimate people in boxes, and some again in better boxes.

        People with keypoints off their box are estimated again in the box around these,
        and people with a doubtful pose in a larger box, which may hold missed limbs.

        Args:
            places (int | np.ndarray): Index of each person's frame in the chunk, (P,),
                or one for all.
            boxes (Boxes): Boxes (P, 4), xyxy pixels, and their scores (P,).
            prior (Prior): Results of the same people in other frames.
        """
        settings = self.settings
        places = np.broadcast_to(places, len(boxes[0]))
        people = self.estimate(places, boxes, prior)
        around = self.boxes_of(people)
        off = box_iou(around, people.bboxes) < settings.min_overlap
        off &= self.are_certain(people)
        people = self._look_again(places, people, off, around, prior, 0)
        confidence = people.scores.mean(1)
        as_before = confidence >= prior.confidence - settings.wide_drop
        as_before |= confidence >= settings.reliable_confidence
        doubtful = ~(are_upright(people.keypoints) & as_before)
        doubtful &= (confidence < settings.certain_confidence) & (confidence > 0)
        wide = self._wide_boxes(people)
        gain = settings.wide_gain
        return self._look_again(places, people, doubtful, wide, prior, gain)

    def _wide_boxes(self, people: People) -> np.ndarray:
        """Return boxes (P, 4) that hold the limbs that may be outside of the box."""
        low, high = np.split(people.bboxes, 2, axis=1)
        around = boxes_around(
            people.keypoints, people.scores, self.settings.wide_margin, self.size
        )
        margin = (self.settings.wide_scale - 1) / 2 * (high - low)
        low = np.fmin(low - margin, around[:, :2])
        high = np.fmax(high + margin, around[:, 2:])
        corners = np.clip([low, high], 0, self.size)
        return np.concatenate([*corners], 1).astype(np.float32)

    def _look_again(
        self,
        places: np.ndarray,
        people: People,
        chosen: np.ndarray,
        boxes: np.ndarray,
        prior: Prior,
        gain: float,
    ) -> People:
        """Estimate chosen people (P,) again in other boxes (P, 4).

        The second estimate replaces the first where its mean confidence is higher by at
        least ``gain``. If there is one, the second pose must be most similar to the
        first pose of the same person, and in a detected box, which has all limbs, it
        must also have a keypoint outside.
        """
        if not chosen.any():
            return people
        first = people.take(chosen)
        is_tracked = ~np.isnan(prior.confidence[chosen])
        confidence = np.fmax(prior.confidence[chosen], first.scores.mean(1))
        prior = Prior(confidence, self.turns_of(first))
        corners = boxes[chosen], first.bbox_scores
        second = self.estimate(places[chosen], corners, prior)
        better = second.scores.mean(1) >= first.scores.mean(1) + gain
        if gain:
            similarity = compare_all(second, people)
            similarity[places[chosen][:, None] != places] = 0
            better &= similarity[:, chosen].diagonal() >= similarity.max(1)
            better &= is_tracked | self._leave(second, first.bboxes)
            second.bboxes = self.boxes_of(second)
        return people.with_rows(np.flatnonzero(chosen)[better], second.take(better))

    def _leave(self, people: People, boxes: np.ndarray) -> np.ndarray:
        """Mark people (P,) with a keypoint that is seen outside of their box (P, 4)."""
        low, high = np.split(boxes[:, None], 2, axis=-1)
        outside = ((people.keypoints < low) | (people.keypoints > high)).any(-1)
        outside &= people.scores >= self.settings.wide_seen
        return np.asarray(outside.any(1))

    def find_beside(
        self, place: int, people: People, expected: People, boxes: np.ndarray
    ) -> People:
        """Search people of a frame who have slid onto another body beside that body.

        The boxes (P, 4), in which all people were searched, are cut in the middle of
        the other body.
        """
        onto = slides(people, expected)
        slid = np.flatnonzero(onto.any(1))
        if not len(slid):
            return people
        beside, middles = boxes[slid], boxes[onto[slid].argmax(1), ::2].mean(1)
        is_left = beside[:, ::2].mean(1) < middles
        left, right = beside[:, 0], beside[:, 2]
        beside[:, 0] = np.where(is_left, left, np.maximum(left, middles))
        beside[:, 2] = np.where(is_left, np.minimum(right, middles), right)
        corners = beside, people.bbox_scores[slid]
        again = self.find(place, corners, Prior.unknown(len(slid)))
        return people.with_rows(slid, again)

    def find_arms(
        self, places: int | np.ndarray, people: People, expected: People
    ) -> People:
        """Search lost or jumping wrists of reliable people in larger boxes.

        The larger box also holds the hands of the expected pose. Elbows and wrists are
        replaced where the larger box shows them with more confidence, or clearly nearer
        to where they are expected. ``places`` (P,) are the people's frames in the
        chunk.
        """
        settings = self.settings
        if people.scores.shape[1] < NUM_BODY:
            return people
        is_lost = people.scores[:, _WRISTS] < settings.lost_wrist
        is_lost |= _arm_distances(people, expected) > settings.wrist_jump
        is_lost &= expected.scores[:, _WRISTS] >= settings.expected_wrist
        is_reliable = mean_confidence(people.scores) >= settings.reliable_confidence
        chosen = np.flatnonzero(is_lost.any(1) & is_reliable)
        if not len(chosen):
            return people
        first, expected = people.take(chosen), expected.take(chosen)
        arms = expected.keypoints[:, _ARMS]
        hands = first.keypoints[:, _ARMS[:, 0]] + arms[:, :, 2] - arms[:, :, 0]
        points = np.concatenate([first.keypoints, hands], 1)
        scores = np.concatenate([first.scores, expected.scores[:, _WRISTS]], 1)
        boxes = boxes_around(points, scores, settings.arm_margin, self.size)
        places = np.broadcast_to(places, len(people))[chosen]
        second = self.estimate(places, (boxes, first.bbox_scores), self.prior_of(first))
        # Rise of the confidence of elbows and wrists, (P, 2, 2): person, side, joint.
        gain = second.scores[:, _ARMS[:, 1:]] - first.scores[:, _ARMS[:, 1:]]
        before, after = (_arm_distances(x, expected) for x in (first, second))
        is_nearer = (before > settings.wrist_jump) & (after < before / 2)
        is_nearer &= gain[..., 1] >= -settings.max_wrist_loss
        row, arm, joint = np.nonzero(
            (gain >= settings.joint_gain) | is_nearer[..., None]
        )
        joint = _ARMS[arm, joint + 1]
        people = people.take(np.arange(len(people)))
        people.keypoints[chosen[row], joint] = second.keypoints[row, joint]
        people.scores[chosen[row], joint] = second.scores[row, joint]
        return people


def _arm_distances(people: People, expected: People) -> np.ndarray:
    """Measure how far wrists are from where they are expected, in arm lengths, (P, 2).

    Wrists are relative to their shoulders.
    """
    arms = np.stack([people.keypoints[:, _ARMS], expected.keypoints[:, _ARMS]])
    lengths = np.linalg.norm(np.diff(arms, axis=3), axis=-1).sum(-1)
    longest = lengths.max((0, 2))
    offset = arms[0] - arms[1]
    moved = offset[:, :, 2] - offset[:, :, 0]
    return np.linalg.norm(moved, axis=-1) / longest.clip(1e-6)[:, None]


class ChunkTracker:
    """Track the people in consecutive frames of one shot from keyframe to keyframe.

    People are searched around their last keypoints. In the last frame they are
    detected, and new people searched backwards. Where a person is lost inside of the
    image, also just before the chunk, people are detected, too, and some times again
    until the person is found.

    Args:
        times (Sequence[float]): Times of the frames in seconds.
        previous (Sequence[People]): People of the frame just before the chunk, last. If
            the shot is long enough, the people of the frame ``settings.history`` frames
            before the chunk precede them.
        search (PoseSearch): Search of people in the frames of the chunk.
        redetect (Redetect): Detection in a frame of the chunk.

    Attributes:
        keyframes (list[Keyframe]): People before the chunk, at negative positions, and
            of some of its frames, after :meth:`track` the last one included.
    """

    def __init__(
        self,
        times: Sequence[float],
        previous: Sequence[People],
        search: PoseSearch,
        redetect: Redetect,
    ) -> None:
        self._times = times
        self._search = search
        self._settings = search.settings
        self._redetect = redetect
        self._end = len(times) - 1
        # Lost people in the boxes where they are expected, and when they are searched.
        self._lost = Keyframe(-1, _NOBODY, previous[-1].take(_NOBODY))
        self._looks: list[int] = []
        now, *before = (x.take(search.are_certain(x)) for x in reversed(previous))
        self.keyframes = [Keyframe(-1, np.arange(len(now)), now)]
        for people in before:  # none, or the people of one earlier frame
            old, new = search.boxes_of(people), search.boxes_of(now)
            ids = self._match(old, new, np.arange(len(now)), len(now))
            self.keyframes.insert(0, Keyframe(-self._settings.history, ids, people))
            self._lose(
                self.keyframes[0].take(ids >= len(now)), old[ids >= len(now)], -1
            )

    def track(self, max_step: int, is_end: bool = True) -> list[Keyframe]:
        """Track people to the last frame, in which they are detected if it ``is_end``.

        Keyframes are at most ``max_step`` frames apart.
        """
        step = max_step // 2 if len(self.keyframes) > 1 else 1
        while self.keyframes[-1].position < self._end:
            step = self._advance(step, max_step, is_end)
        return self.keyframes

    def _advance(self, step: int, max_step: int, is_end: bool) -> int:
        """Add a keyframe, unless people are lost on the way; return the next step."""
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
        self._lose(now.take(~found), predicted[~found], position)
        if detects:
            tracked = self._detect(tracked)
        elif position in self._looks:
            tracked = self._find_lost(tracked)
        _, before, after = _common(now.ids, tracked.ids)
        around = self._search.boxes_of(tracked.people)[after]
        overlap = box_iou(predicted[before], around)
        is_predictable = (overlap >= self._settings.predictable_overlap).all()
        self.keyframes.append(tracked)
        self._search_backwards()
        if is_predictable and len(before) == len(now.ids):
            return min(2 * step, max_step)
        return max(step // 2, 1)

    def _lose(self, people: Keyframe, boxes: np.ndarray, position: int) -> None:
        """Remember lost people, expected in boxes (P, 4), for later detections.

        People with a box at the left or right border have left the image.
        """
        columns = boxes[:, ::2]
        inside = (columns > 1) & (columns < self._search.size[0] - 1)
        rows = np.flatnonzero(inside.all(1))
        if not len(rows):
            return
        people.people.bboxes = boxes
        self._lost = self._lost.join(people.take(rows))
        if not any(look > position for look in self._looks):
            again = self._times[max(position, 0)] + np.array(
                self._settings.redetect_after
            )
            self._looks = [position, *np.searchsorted(self._times, again).tolist()]

    def _follow(
        self, now: Keyframe, position: int, boxes: np.ndarray, detects: bool
    ) -> People:
        """Search people in predicted boxes (P, 4) of another frame."""
        people = now.people
        confidence = people.scores.mean(1)
        if detects:
            reliable = confidence >= self._settings.reliable_confidence
            reliable &= are_upright(people.keypoints)
            confidence = np.where(reliable, confidence, np.nan)
        prior = Prior(confidence, self._search.turns_of(people))
        found = self._search.find(position, (boxes, people.bbox_scores), prior)
        if detects:
            return found
        return self._search.find_arms(position, found, people)

    def _next_position(self, now: Keyframe, step: int) -> int:
        """Choose the next keyframe.

        One keyframe is ``settings.history`` frames before the end, where the next chunk
        measures motion.
        """
        coming = [x for x in self._looks if x > now.position]
        end = min([self._end, *coming])
        if not now.ids.size:
            return end
        position = min(now.position + step, end)
        needed = self._end + 1 - self._settings.history
        return needed if now.position < needed < position else position

    def _detect(self, tracked: Keyframe) -> Keyframe:
        """Detect the people of a frame; tracked ones keep their numbers."""
        search = self._search
        boxes, scores = self._redetect(tracked.position, tracked.people)
        around = search.boxes_of(tracked.people)
        ids = self._match(boxes, around, tracked.ids, self._first_new())
        _, new, old = _common(ids, tracked.ids)
        is_same = box_iou(boxes[new], around[old]) >= self._settings.same_box_overlap
        unmoved = tracked.take(old[is_same])
        unmoved.people.bbox_scores = scores[new[is_same]]
        prior = Prior.unknown(len(ids))
        prior.turns[new] = search.turns_of(tracked.people)[old]
        rest = np.delete(np.arange(len(ids)), new[is_same])
        found = boxes[rest], scores[rest]
        people = search.find(tracked.position, found, prior.take(rest))
        detected = unmoved.join(Keyframe(tracked.position, ids[rest], people))
        seen = replace(detected.people, scores=np.ones_like(detected.people.scores))
        detected.people = search.find_arms(tracked.position, detected.people, seen)
        return detected.take(search.are_certain(detected.people))

    def _find_lost(self, tracked: Keyframe) -> Keyframe:
        """Detect the people of a frame, in which tracked ones stay as they are."""
        search = self._search
        lost = self._lost
        boxes, scores = self._redetect(tracked.position, tracked.people)
        around = np.concatenate([search.boxes_of(tracked.people), lost.people.bboxes])
        known = np.r_[tracked.ids, lost.ids]
        ids = self._match(boxes, around, known, self._first_new())
        rows = ~np.isin(ids, tracked.ids)
        prior = Prior.unknown(rows.sum())
        people = search.find(tracked.position, (boxes[rows], scores[rows]), prior)
        similar = (
            compare_all(people, tracked.people) >= self._settings.duplicate_similarity
        )
        certain = search.are_certain(people) & ~similar.any(1)
        found = Keyframe(tracked.position, ids[rows], people).take(certain)
        self._lost = lost.take(~np.isin(lost.ids, found.ids))
        if not len(self._lost.ids) or tracked.position >= self._looks[-1]:
            self._lost = lost.take(_NOBODY)
            self._looks = []
        return tracked.join(found)

    def _first_new(self) -> int:
        """Return the first ID that is free."""
        return max(int(key.ids.max(initial=-1)) for key in self.keyframes) + 1

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
        limit = 2 * (boxes[:, 2:] - boxes[:, :2])
        shifted = boxes.reshape(-1, 2, 2) + np.clip(moved, -limit, limit)[:, None]
        shifted = shifted.clip(0, self._search.size).reshape(-1, 4)
        inside = (shifted[:, 2:] - shifted[:, :2] > 1).all(1, keepdims=True)
        return np.where(inside, shifted, boxes).astype(np.float32)

    def _match(
        self, boxes: np.ndarray, tracked: np.ndarray, ids: np.ndarray, first_new: int
    ) -> np.ndarray:
        """Assign IDs (P,) to detected boxes (P, 4).

        Boxes that overlap one of the ``tracked`` boxes (Q, 4) get its ID from ``ids``
        (Q,), the others new IDs from ``first_new``.
        """
        overlap = box_iou(boxes[:, None], tracked[None])
        numbers = first_new + np.arange(len(boxes))
        rows, columns = match_boxes(overlap, self._settings.same_person_overlap)
        numbers[rows] = ids[columns]
        return numbers

    def _search_backwards(self) -> None:
        """Track people who are new in the last keyframe through the earlier ones."""
        *_, before, last = self.keyframes
        path = [last.take(~np.isin(last.ids, before.ids))]
        least = self._settings.min_backward_share * path[0].people.scores.mean(1)
        least = np.maximum(least, self._settings.min_confidence)
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
            is_new &= ~(similarity >= self._settings.duplicate_similarity).any(1)
            path.append(Keyframe(key.position, last.ids, people).take(is_new))
            least = least[is_new]
            self.keyframes[row] = key.join(path[-1])


def slides(found: People, expected: People) -> np.ndarray:
    """Mark who was found on whose body, (P, P).

    Two people who are alike, but were expected not to be, share a body. The one who is
    less similar to the expected pose has slid onto the other.
    """
    least = KeyframeSettings.slid_similarity
    is_alike = compare_all(found, found) >= least
    is_alike &= compare_all(expected, expected) < least
    stayed = np.diag(compare_all(found, expected))
    return np.asarray(is_alike & (stayed[:, None] < stayed))


def _common(ids: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the IDs (S,) that arrays (P,) and (Q,) share, and their rows in both."""
    return np.intersect1d(ids, other, assume_unique=True, return_indices=True)
