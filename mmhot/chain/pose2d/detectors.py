"""Person detectors: the whole image, and boxes verified by poses; a filter of boxes."""

from dataclasses import dataclass, replace

import numpy as np

from mmhot.chain.pose2d.cache import identify
from mmhot.chain.pose2d.interfaces import Detector, Images, PoseEstimator
from mmhot.structures.people import (
    Boxes,
    People,
    box_iou,
    boxes_around,
    compare_all,
    mean_confidence,
)


@dataclass(frozen=True)
class Verification:
    """Thresholds for verifying candidate boxes by their poses.

    Large boxes are right more often, although poses in close-ups are less confident.
    The detector's boxes include hair, hands and clothes, so they replace the boxes
    around the keypoints where both overlap. The transition is gradual because models
    and back ends differ slightly.
    """

    # Ranges are those of seven videos with 182 frames: rendered people who walk, lie,
    # dance and do cartwheels, and real tennis, walking and a street.
    # Least score of the detector's boxes. Up to .096 nothing changes, as lower scores
    # never reach ``min_score``.
    candidate_score: float = 0.05
    # Candidates that are verified in an image, at most. 0.5 to 10 of it find the same
    # people.
    max_candidates: int = 60
    # The same limit in frames of a video with tracked people. 1 to 10 of it find the
    # same people, half loses 1.6 %.
    max_new: int = 8
    # Least mean confidence of tracked people who are not verified again. 0 to 1 of it
    # change no frame; if all are verified again, 19 frames change by .2 % of a person.
    min_tracked: float = 0.6
    # A candidate is a tracked person if the intersection over union of both boxes is at
    # least this. 0.5 to 10 of it find the same people.
    tracked_overlap: float = 0.6
    # Least score of people, chosen on the data in docs/video.md. Half of it adds 115
    # people to 347, of whom few are in the references; double finds none.
    min_score: float = 0.392
    # Exponents of a person's score: of the detector's score, of the mean confidence of
    # each of two passes, and of the box's longer side, as a share of the image's longer
    # side. Half of one adds 22 to 47 people to 347, of whom none is in the references;
    # double loses 9 to 27 %.
    detector_power: float = 0.4
    pose_power: float = 0.5
    size_power: float = 0.2
    # Smaller shares count as this one. Half of it loses 1.6 % of the people, double
    # adds 22.
    min_size: float = 0.25
    # Margin of boxes around keypoints, as a share of the keypoints' longer side. With
    # half of it .5 % more joints are wrong, double is equal.
    padding: float = 0.1
    # Intersection over union of the detector's box and the box around the keypoints.
    # Up to ``loose_overlap`` the latter is kept, from ``tight_overlap`` the detector's.
    # If keypoints' boxes are always kept, .1 % fewer joints of 20 videos are wrong and
    # 4 people are lost; with the detector's .3 % fewer, and one in 25 frames is false.
    loose_overlap: float = 0.6
    tight_overlap: float = 0.8
    # Two boxes show one person if the keypoints are at least this similar. 0.5 to 1 of
    # it find the same people, double finds 18 of them twice.
    duplicate_similarity: float = 0.2
    # The same threshold for two tracked people, as one may be in front of the other. 0
    # to 10 of it find the same people; in 11 other videos, .2 loses one.
    tracked_similarity: float = 0.75


class WholeImage(Detector):
    """Detect one person per image, in a box as large as the image."""

    name = 'whole_image'
    identity = identify('whole_image', '')

    def __call__(self, images: Images) -> list[Boxes]:
        """Return a box (1, 4) and its score (1,) for each BGR image."""
        return [
            (np.array([[0, 0, *image.shape[1::-1]]], 'f4'), np.ones(1, np.float32))
            for image in images
        ]


def filter_boxes(boxes: Boxes, bbox_thr: float, nms_thr: float) -> Boxes:
    """Filter the boxes of an image by score and NMS, as MMPose's inferencer does.

    Args:
        boxes (Boxes): Boxes (P, 4), xyxy pixels, and their scores (P,).
        bbox_thr (float): Boxes with this score or less are dropped.
        nms_thr (float): Boxes with a larger intersection over union with a better box
            are dropped.

    Returns:
        Boxes: The remaining boxes and scores.
    """
    from mmpose.evaluation.functional import nms

    scored = np.column_stack(boxes)
    scored = scored[scored[:, 4] > bbox_thr]
    scored = scored[nms(scored, nms_thr)]
    return scored[:, :4], scored[:, 4]


class PoseVerifiedDetector(Detector):
    """Verify the candidates of a small detector with the 2D pose estimator.

    The shipped detector, at a low threshold, yields most people and many false
    positives. Poses are estimated in each candidate box and once more in the box around
    the keypoints. The score of a person is ``s ** 0.4 * a ** 0.2 * (c1 * c2) ** 0.5``,
    where ``s`` is the detector's score, ``a`` the longer side of its box as a share of
    the image's longer side (at least a quarter), and ``c1`` and ``c2`` are the mean
    confidences of both passes. As this estimates tens of boxes per frame, the detector
    runs only once per second of video.

    Args:
        estimator (PoseEstimator): 2D pose estimator.
        detector (Detector): Detector with a low threshold.
    """

    limits = Verification()
    interval = 1.0
    nms_thr = 1.0  # duplicates are recognized by their keypoints
    redetects = True

    def __init__(self, estimator: PoseEstimator, detector: Detector) -> None:
        self.estimator = estimator
        self.detector = detector
        self.name = f'{detector.name}, verified by {estimator.name}'
        self.identity = identify(
            'pose-verified',
            '',
            model=estimator.identity,
            detector=detector.identity,
        )

    def __call__(self, images: Images) -> list[Boxes]:
        """Detect the people in BGR images (H, W, 3)."""
        return [
            self._drop_duplicates(self._verify(image, *boxes))
            for image, boxes in zip(images, self.detector(images), strict=True)
        ]

    def redetect(self, image: np.ndarray, tracked: People) -> Boxes:
        """Detect the people in an image (H, W, 3).

        Tracked people with confident poses are not verified again.
        """
        limits = self.limits
        [(boxes, scores)] = self.detector([image])
        tracked = tracked.take(mean_confidence(tracked.scores) >= limits.min_tracked)
        around = boxes_around(
            tracked.keypoints, tracked.scores, limits.padding, image.shape[1::-1]
        )
        tracked = replace(
            tracked, bboxes=around, bbox_scores=mean_confidence(tracked.scores)
        )
        overlap = box_iou(boxes[:, None], around).max(1, initial=0)
        new = np.flatnonzero(overlap < limits.tracked_overlap)
        new = new[np.argsort(-scores[new], kind='stable')][: limits.max_new]
        people = self._verify(image, boxes[new], scores[new], tracked)
        return self._drop_duplicates(people.join(tracked), len(tracked))

    def _verify(
        self,
        image: np.ndarray,
        boxes: np.ndarray,
        scores: np.ndarray,
        tracked: People | None = None,
    ) -> People:
        """Verify candidate boxes (P, 4) with scores (P,), and return the people.

        Candidates that are duplicates of tracked people are dropped.
        """
        limits = self.limits
        best = np.argsort(-scores, kind='stable')[: limits.max_candidates]
        boxes = boxes[best]
        sizes = (boxes[:, 2:] - boxes[:, :2]).max(1) / max(image.shape[:2])
        sizes = sizes.clip(limits.min_size) ** limits.size_power
        scores = scores[best] ** limits.detector_power * sizes
        # Confidences are at most 1, so that they can only lower the score.
        possible = scores >= limits.min_score
        boxes = boxes[possible]
        people = self._estimate(image, boxes, scores[possible])
        is_person = people.bbox_scores >= limits.min_score
        if tracked is not None:
            similarity = compare_all(people, tracked)
            is_person &= ~(similarity >= limits.duplicate_similarity).any(1)
        boxes = boxes[is_person]
        around = people.bboxes[is_person]
        people = self._estimate(image, around, people.bbox_scores[is_person])
        overlaps = [limits.loose_overlap, limits.tight_overlap]
        share = np.interp(box_iou(boxes, around), overlaps, [0, 1])
        people.bboxes = around + np.float32(share[:, None]) * (boxes - around)
        return people.take(people.bbox_scores >= limits.min_score)

    def _estimate(
        self, image: np.ndarray, boxes: np.ndarray, scores: np.ndarray
    ) -> People:
        """Estimate the people in boxes (P, 4) with scores (P,).

        The people returned have boxes around their keypoints, and scores lowered by
        their mean confidence.
        """
        [(points, confidence)] = self.estimator.estimate_fast([image], [boxes])
        around = boxes_around(
            points, confidence, self.limits.padding, image.shape[1::-1]
        )
        scores = scores * mean_confidence(confidence) ** self.limits.pose_power
        return People(around, scores, points, confidence)

    def _drop_duplicates(self, people: People, num_tracked: int = 0) -> Boxes:
        """Return each person's box with the highest score, in order of falling scores.

        The last ``num_tracked`` people are tracked. Two of them are duplicates only if
        they are very similar, as one may be in front of the other.
        """
        similarity = compare_all(people, people)
        duplicate = similarity >= self.limits.duplicate_similarity
        tracked = (slice(len(people) - num_tracked, None),) * 2
        duplicate[tracked] = similarity[tracked] >= self.limits.tracked_similarity
        rows: list[int] = []
        for person in np.argsort(-people.bbox_scores, kind='stable'):
            if not duplicate[person, rows].any():
                rows.append(person)
        return people.bboxes[rows], people.bbox_scores[rows]
