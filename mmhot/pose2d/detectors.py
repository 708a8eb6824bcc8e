"""Person detectors: whole image, filtered and verified boxes."""

from dataclasses import dataclass, replace

import numpy as np

from mmhot.pose2d.cache import identify
from mmhot.pose2d.interfaces import Detector, Images, PoseEstimator
from mmhot.structures.people import (
    Boxes,
    People,
    box_iou,
    box_overlap,
    boxes_around,
    compare_all,
    mean_confidence,
)


@dataclass(frozen=True)
class Verification:
    """Thresholds of candidates that are verified by their poses.

    Large boxes are right more often, although poses in close-ups are less confident.
    Boxes of the detector, with hair, hands and clothes in them, replace those around
    the keypoints where they overlap: gradually, as models and back ends differ.
    """

    candidate_score: float = 0.05  # least score of the detector's boxes
    max_candidates: int = 60  # of an image
    max_new: int = 8  # the same in videos, with tracked people
    min_new: float = 0.2  # least score of the detector there
    min_tracked: float = 0.6  # mean confidence of tracked people that need none
    tracked_overlap: float = 0.6  # of boxes, from which a candidate is tracked already
    min_score: float = 0.392  # of people; docs/video.md says on what it was chosen
    detector_power: float = 0.4  # exponent of the detector's score
    pose_power: float = 0.5  # exponent of either mean confidence
    size_power: float = 0.2  # exponent of a box's longer side, share of the image's
    min_size: float = 0.25  # of this share
    padding: float = 0.1  # margin of boxes around keypoints, share of the longer side
    loose_overlap: float = 0.6  # of both boxes, up to which that of keypoints stays
    tight_overlap: float = 0.8  # of both boxes, from which the detector's replaces it
    duplicate_overlap: float = 0.6  # share of the smaller box of two duplicates
    duplicate_similarity: float = 0.2  # of their keypoints
    tracked_similarity: float = 0.75  # the same of two tracked people who meet


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


class BoxFilter(Detector):
    """Filter the boxes of a detector by score and NMS, as MMPose's inferencer does.

    Boxes with at most the score ``bbox_thr`` are dropped, and those that a better one
    overlaps by more than ``nms_thr``, by default the detector's.
    """

    def __init__(
        self, detector: Detector, bbox_thr: float = 0.3, nms_thr: float | None = None
    ) -> None:
        self.detector, self.bbox_thr = detector, bbox_thr
        self.nms_thr = detector.nms_thr if nms_thr is None else nms_thr
        self.name, self.interval = detector.name, detector.interval
        self.redetects = detector.redetects
        thresholds = {'bbox_thr': self.bbox_thr, 'nms_thr': self.nms_thr}
        self.identity = {**detector.identity, **thresholds}

    def __call__(self, images: Images) -> list[Boxes]:
        """Detect the people of BGR images (H, W, 3)."""
        return [self._filter(*boxes) for boxes in self.detector(images)]

    def redetect(self, image: np.ndarray, tracked: People) -> Boxes:
        """Detect all people of an image, given the poses of tracked ones in it."""
        return self._filter(*self.detector.redetect(image, tracked))

    def _filter(self, boxes: np.ndarray, scores: np.ndarray) -> Boxes:
        from mmpose.evaluation.functional import nms

        boxes, scores = np.asarray(boxes).reshape(-1, 4), np.asarray(scores)
        above = scores > self.bbox_thr
        boxes, scores = boxes[above], scores[above]
        rows = nms(np.concatenate([boxes, scores[:, None]], 1), self.nms_thr)
        return boxes[rows], scores[rows]


class PoseVerifiedDetector(Detector):
    """Verify the candidates of a small detector with the 2D pose estimator.

    The shipped detector, at a low threshold, yields most people and many false
    positives. Poses are estimated in each candidate box and once more in the box around
    the keypoints. With the detector's score ``s``, the longer side ``a`` of its box, as
    a share of the image's and at least a quarter, and the mean confidences ``c`` of
    both passes, the score of a person is ``s ** 0.4 * a ** 0.2 * (c1 * c2) ** 0.5``. As
    that takes tens of boxes per frame, the detector asks for a frame every second.
    """

    limits = Verification()
    interval = 1.0
    nms_thr = 1.0  # duplicates are recognized by their keypoints
    redetects = True

    def __init__(self, estimator: PoseEstimator, detector: Detector) -> None:
        self.estimator, self.detector = estimator, detector
        self.name = f'{detector.name}, verified by {estimator.name}'
        models = {'model': estimator.identity, 'detector': detector.identity}
        self.identity = identify('pose-verified', '', **models)

    def __call__(self, images: Images) -> list[Boxes]:
        """Detect the people of BGR images (H, W, 3)."""
        return [
            self._drop_duplicates(self._verify(image, *boxes))
            for image, boxes in zip(images, self.detector(images), strict=True)
        ]

    def redetect(self, image: np.ndarray, tracked: People) -> Boxes:
        """Detect people; tracked ones with confident poses need not be verified."""
        [(boxes, scores)], limits = self.detector([image]), self.limits
        tracked = tracked.take(mean_confidence(tracked.scores) >= limits.min_tracked)
        size = image.shape[1::-1]
        around = boxes_around(tracked.keypoints, tracked.scores, limits.padding, size)
        confidence = mean_confidence(tracked.scores)
        tracked = replace(tracked, bboxes=around, bbox_scores=confidence)
        overlap = box_iou(boxes[:, None], around).max(1, initial=0)
        certain = scores >= (limits.min_new if len(tracked) else 0)
        new = np.flatnonzero((overlap < limits.tracked_overlap) & certain)
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
        """Return the new people among candidates."""
        limits = self.limits
        best = np.argsort(-scores, kind='stable')[: limits.max_candidates]
        boxes = boxes[best]
        sizes = (boxes[:, 2:] - boxes[:, :2]).max(1) / max(image.shape[:2])
        sizes = sizes.clip(limits.min_size) ** limits.size_power
        scores = scores[best] ** limits.detector_power * sizes
        # confidences, of at most 1, can only lower it
        possible = scores >= limits.min_score
        boxes, scores = boxes[possible], scores[possible]
        people = self._estimate(image, boxes, scores)
        is_person = people.bbox_scores >= limits.min_score
        if tracked is not None:
            is_person &= ~self._duplicates(people, tracked).any(1)
        boxes, first = boxes[is_person], people.take(is_person)
        people = self._estimate(image, first.bboxes, first.bbox_scores)
        overlaps = [limits.loose_overlap, limits.tight_overlap]
        share = np.interp(box_iou(boxes, first.bboxes), overlaps, [0, 1])
        people.bboxes = first.bboxes + np.float32(share[:, None]) * (
            boxes - first.bboxes
        )
        return people.take(people.bbox_scores >= limits.min_score)

    def _estimate(
        self, image: np.ndarray, boxes: np.ndarray, scores: np.ndarray
    ) -> People:
        """Estimate people: boxes are those around their poses, and lower scores."""
        [(points, confidence)] = self.estimator.estimate_fast([image], [boxes])
        limits, size = self.limits, image.shape[1::-1]
        around = boxes_around(points, confidence, limits.padding, size)
        scores = scores * mean_confidence(confidence) ** limits.pose_power
        return People(around, scores, points, confidence)

    def _drop_duplicates(self, people: People, num_tracked: int = 0) -> Boxes:
        """Keep the box with the highest score of each person, highest first.

        The last ones are tracked: one may be in front of another.
        """
        duplicate = self._duplicates(people, people)
        tracked = slice(len(people) - num_tracked, None)
        similarity = compare_all(people, people)[tracked, tracked]
        duplicate[tracked, tracked] &= similarity >= self.limits.tracked_similarity
        rows: list[int] = []
        for person in np.argsort(-people.bbox_scores, kind='stable'):
            if not duplicate[person, rows].any():
                rows.append(person)
        return people.bboxes[rows], people.bbox_scores[rows]

    def _duplicates(self, first: People, second: People) -> np.ndarray:
        """Mark pairs (P, Q) that are of one person."""
        shared = box_overlap(first.bboxes[:, None], second.bboxes[None])
        similar = compare_all(first, second) >= self.limits.duplicate_similarity
        return (shared > self.limits.duplicate_overlap) & similar
