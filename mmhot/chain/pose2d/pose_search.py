"""Search of people in the frames of a chunk, by their poses in other frames."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmhot.chain.pose2d.interfaces import Prior
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.people import (
    NUM_BODY,
    Boxes,
    People,
    are_upright,
    box_iou,
    boxes_around,
    compare_all,
    mean_confidence,
    quarter_turns,
)

_JOINTS = 'shoulder', 'elbow', 'wrist'
# Indices of these joints in the left and the right arm, (2, 3)
_ARMS = np.array(
    [
        get_skeleton('coco-17').indices(f'{side}_{joint}' for joint in _JOINTS)
        for side in ('left', 'right')
    ]
)
_WRISTS = _ARMS[:, 2]

Estimate = Callable[[np.ndarray, Boxes, Prior], People]
"""Function that estimates people in boxes.

It is called with the index (P,) of each person's frame in the chunk, the boxes, and the
prior.
"""


@dataclass(frozen=True)
class SearchSettings:
    """Boxes in which people are searched, and reasons to search them again.

    Overlaps are intersections over unions of boxes. Confidences of people are means
    over their keypoints. Wrists that jump are searched in larger boxes, as arms may
    leave the box around the previous pose.
    """

    # Ranges are those of the videos of :class:`Verification` in detectors.py.
    # Margin of boxes around keypoints, as a share of the keypoints' longer side. With
    # half of it .8 % more joints are wrong, with double .7 %.
    padding: float = 0.15
    # Least confidence of a tracked person. 0 to 1 of it find the same people, double
    # changes .4 % of the joints.
    min_confidence: float = 0.2
    # Least confidence of a reliable person. With half of it .2 % fewer joints are
    # wrong; with double, as nobody is reliable, .5 % fewer, and .5 % more people are
    # lost.
    reliable_confidence: float = 0.6
    # Least overlap of the box around the estimated keypoints with the box that was
    # searched; with less, the keypoints are off the box. With 0 to .5 of it 1.6 % of
    # the people are lost; with 2 of it all are estimated twice, with .1 % fewer wrong
    # joints.
    min_overlap: float = 0.6
    # People who are not upright or not reliable are also searched in a larger box, if
    # their confidence is below this: a limb that was missed once stays outside of the
    # box around the other keypoints. With 0 to .5 of it .4 % more joints are wrong;
    # 1 to 10 of it are equal.
    certain_confidence: float = 0.8
    # Margin of the larger box around the keypoints, as a share of their longer side.
    # With 0 to .5 of it .1 % more joints are wrong, with 2 to 10 of it .3 % fewer.
    wide_margin: float = 0.5
    # Least size of the larger box, as a multiple of the box. With 1 a person of a real
    # video of an exercise is lost in 2 % of the frames.
    wide_scale: float = 1.6

    # Two people share a body if their keypoints are at least this similar, unless they
    # were as similar before. Without a search beside the other one, wrong IDs of three
    # rendered walkers rise from 5 to 61 of 270.
    slid_similarity: float = 0.6
    # Wrists are searched again only if their expected pose has at least this
    # confidence. 0 to 1 of it change the share of wrong joints by .1 %; with 10, as
    # without a search, 7 % more of a rendered runner's arms are wrong.
    min_expected_wrist: float = 0.5
    # A wrist jumps if it is farther than this from where it is expected, in arm
    # lengths. Half of it loses .3 % of the people, as without it; 0 loses 5 %.
    wrist_jump: float = 0.5
    # Margin of the box in which arms are searched, as a share of its longer side. 0.5
    # to 2 of it change the share of wrong joints by .1 %.
    arm_margin: float = 0.35


_SETTINGS = SearchSettings()


@dataclass(frozen=True)
class PoseSearch:
    """Search of people in the frames of a shot, by their poses in other frames.

    People are estimated in the box around their last pose. Doubtful results are
    estimated again: in the box around the new keypoints, in a larger box, or, if two
    people share a body, beside the other person.

    Args:
        estimate (Estimate): Estimates the people in boxes.
        size (tuple[int, int]): Width and height of the frames in pixels.
    """

    estimate: Estimate
    size: tuple[int, int]

    def boxes_of(self, people: People) -> np.ndarray:
        """Compute boxes (P, 4), xyxy pixels, to search people in another frame."""
        boxes = boxes_around(
            people.keypoints, people.scores, _SETTINGS.padding, self.size
        )
        return np.where(np.isfinite(boxes), boxes, people.bboxes).astype(np.float32)

    def are_certain(self, people: People) -> np.ndarray:
        """Mark people (P,) with a mean confidence that is high enough to track them."""
        return people.scores.mean(1) >= _SETTINGS.min_confidence

    def are_reliable(self, people: People) -> np.ndarray:
        """Mark people (P,) with a mean confidence that is high enough to trust them."""
        return people.scores.mean(1) >= _SETTINGS.reliable_confidence

    def prior_of(self, people: People) -> Prior:
        """Return the prior of people for neighboring frames."""
        upright = are_upright(people.keypoints)
        confidence = np.where(upright, -np.inf, people.scores.mean(1))
        return Prior(confidence, self.turns_of(people))

    def turns_of(self, people: People) -> np.ndarray:
        """Return quarter turns (P,) as in Prior; people who are not reliable have 0."""
        return np.where(self.are_reliable(people), quarter_turns(people.keypoints), 0)

    def find(self, places: int | np.ndarray, boxes: Boxes, prior: Prior) -> People:
        """Estimate people in boxes, and some again in better boxes.

        Args:
            places (int | np.ndarray): Index of each person's frame in the chunk, (P,),
                or one for all.
            boxes (Boxes): Boxes (P, 4), xyxy pixels, and their scores (P,).
            prior (Prior): Results of the same people in other frames.

        Returns:
            People: The P people, in the same order.
        """
        places = np.broadcast_to(places, len(boxes[0]))
        people = self.estimate(places, boxes, prior)
        people = self._follow_keypoints(places, people, prior)
        return self._look_around(places, people, prior)

    def _follow_keypoints(
        self, places: np.ndarray, people: People, prior: Prior
    ) -> People:
        """Estimate people in the box around their keypoints, if these are off the box.

        ``places`` (P,) are the frames of the people.
        """
        around = self.boxes_of(people)
        off = box_iou(around, people.bboxes) < _SETTINGS.min_overlap
        rows = np.flatnonzero(off & self.are_certain(people))
        second = self._estimate_again(places, people, rows, around, prior)
        better = second.scores.mean(1) >= people.scores[rows].mean(1)
        return people.with_rows(rows[better], second.take(better))

    def _look_around(self, places: np.ndarray, people: People, prior: Prior) -> People:
        """Estimate people with a doubtful pose in a larger box, which may hold limbs.

        ``places`` (P,) are the frames of the people.

        The second pose must be most similar to the first pose of the same person.
        """
        confidence = people.scores.mean(1)
        is_known = self.are_reliable(people) | ~np.isnan(prior.confidence)
        doubtful = ~(are_upright(people.keypoints) & is_known)
        doubtful &= (confidence < _SETTINGS.certain_confidence) & (confidence > 0)
        rows = np.flatnonzero(doubtful)
        wide = self._wide_boxes(people)
        second = self._estimate_again(places, people, rows, wide, prior)
        better = second.scores.mean(1) >= confidence[rows]
        similarity = compare_all(second, people)
        similarity[places[rows][:, None] != places] = 0
        better &= similarity[:, rows].diagonal() >= similarity.max(1, initial=0)
        second.bboxes = self.boxes_of(second)
        return people.with_rows(rows[better], second.take(better))

    def _wide_boxes(self, people: People) -> np.ndarray:
        """Return boxes (P, 4) that hold the limbs that may be outside of the box."""
        low, high = np.split(people.bboxes, 2, axis=1)
        around = boxes_around(
            people.keypoints, people.scores, _SETTINGS.wide_margin, self.size
        )
        margin = (_SETTINGS.wide_scale - 1) / 2 * (high - low)
        low = np.fmin(low - margin, around[:, :2])
        high = np.fmax(high + margin, around[:, 2:])
        corners = np.clip([low, high], 0, self.size)
        return np.concatenate([*corners], 1).astype(np.float32)

    def _estimate_again(
        self,
        places: np.ndarray,
        people: People,
        rows: np.ndarray,
        boxes: np.ndarray,
        prior: Prior,
    ) -> People:
        """Estimate the people of rows (Q,) again, in their rows of boxes (P, 4)."""
        first = people.take(rows)
        if not len(first):
            return first
        confidence = np.fmax(prior.confidence[rows], first.scores.mean(1))
        prior = Prior(confidence, self.turns_of(first))
        return self.estimate(places[rows], (boxes[rows], first.bbox_scores), prior)

    def find_beside(
        self, place: int, people: People, expected: People, boxes: np.ndarray
    ) -> People:
        """Search people of a frame who have slid onto another body beside that body.

        Args:
            place (int): Index of the frame in the chunk.
            people (People): The people found in the frame.
            expected (People): The same people as they were expected.
            boxes (np.ndarray): Boxes (P, 4), xyxy pixels, in which they were searched.
                They are cut in the middle of the other body.

        Returns:
            People: All people of the frame, in the same order.
        """
        onto = slides(people, expected)
        slid = np.flatnonzero(onto.any(1))
        if not len(slid):
            return people
        beside = boxes[slid]
        middles = boxes[onto[slid].argmax(1), ::2].mean(1)
        is_left = beside[:, ::2].mean(1) < middles
        beside[is_left, 2] = np.minimum(beside[:, 2], middles)[is_left]
        beside[~is_left, 0] = np.maximum(beside[:, 0], middles)[~is_left]
        corners = beside, people.bbox_scores[slid]
        again = self.find(place, corners, Prior.unknown(len(slid)))
        return people.with_rows(slid, again)

    def find_arms(
        self, places: int | np.ndarray, people: People, expected: People
    ) -> People:
        """Search jumping wrists of reliable people in larger boxes.

        The larger box also holds the hands of the expected pose. Elbow and wrist are
        replaced where the larger box shows the wrist clearly nearer to where it is
        expected.

        Args:
            places (int | np.ndarray): Index of each person's frame in the chunk, (P,),
                or one for all.
            people (People): The people found.
            expected (People): The same people as they were expected.

        Returns:
            People: The P people, in the same order.
        """
        if people.scores.shape[1] < NUM_BODY:
            return people
        is_lost = _arm_distances(people, expected) > _SETTINGS.wrist_jump
        is_lost &= expected.scores[:, _WRISTS] >= _SETTINGS.min_expected_wrist
        is_reliable = mean_confidence(people.scores) >= _SETTINGS.reliable_confidence
        rows = np.flatnonzero(is_lost.any(1) & is_reliable)
        if not len(rows):
            return people
        first = people.take(rows)
        expected = expected.take(rows)
        boxes = self._arm_boxes(first, expected), first.bbox_scores
        places = np.broadcast_to(places, len(people))[rows]
        second = self.estimate(places, boxes, self.prior_of(first))
        row, joint = _better_joints(first, second, expected)
        first.keypoints[row, joint] = second.keypoints[row, joint]
        first.scores[row, joint] = second.scores[row, joint]
        return people.with_rows(rows, first)

    def _arm_boxes(self, people: People, expected: People) -> np.ndarray:
        """Return boxes (P, 4) that hold people and the hands of the expected poses."""
        arms = expected.keypoints[:, _ARMS]
        hands = people.keypoints[:, _ARMS[:, 0]] + arms[:, :, 2] - arms[:, :, 0]
        points = np.concatenate([people.keypoints, hands], 1)
        scores = np.concatenate([people.scores, expected.scores[:, _WRISTS]], 1)
        return boxes_around(points, scores, _SETTINGS.arm_margin, self.size)


def _better_joints(
    first: People, second: People, expected: People
) -> tuple[np.ndarray, np.ndarray]:
    """Find arms that are better: rows (N, 1), and elbows and wrists (N, 2)."""
    before = _arm_distances(first, expected)
    after = _arm_distances(second, expected)
    is_better = (before > _SETTINGS.wrist_jump) & (after < before / 2)
    row, arm = np.nonzero(is_better)
    return row[:, None], _ARMS[arm, 1:]


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


def slides(found: People, expected: People) -> np.ndarray:
    """Mark pairs (P, P) in which one person was found on the body of the other.

    Two people share a body if their poses are similar, and their expected poses are
    not. The person farther from the expected pose (row) has slid onto the other person
    (column).
    """
    least = _SETTINGS.slid_similarity
    is_alike = compare_all(found, found) >= least
    is_alike &= compare_all(expected, expected) < least
    stayed = np.diag(compare_all(found, expected))
    return np.asarray(is_alike & (stayed[:, None] < stayed))
