"""Person detectors: whole image, filtered and verified boxes."""

import numpy as np

from mmhot.pose2d.cache import identify
from mmhot.pose2d.interfaces import Detector, Images, PoseEstimator
from mmhot.structures.people import (
    Boxes,
    People,
    Placed,
    box_iou,
    box_overlap,
    boxes_around,
    compare_all,
    mean_confidence,
)

CANDIDATE_SCORE = 0.05
"""Least score of boxes that are verified."""
_MAX_CANDIDATES = 60
# Number of candidates that are verified in videos, and their least score where people
# are tracked already.
_MAX_NEW, _MIN_NEW = 8, 0.2
# Least score of people, and least mean confidence of tracked ones.
_MIN_SCORE, _MIN_TRACKED = 0.392, 0.6
# Exponents of the detector's score, of both mean confidences and of the longer side of
# boxes, a share of the image's. Large boxes are right more often, although poses in
# close-ups are less confident.
_DETECTOR_POWER, _POSE_POWER, _SIZE_POWER, _LEAST_SIZE = 0.4, 0.5, 0.2, 0.25
_PADDING = 0.1
# Boxes of the detector, with hair, hands and clothes in them, replace those around the
# keypoints where they overlap: gradually, since models and back ends differ a little.
_LOOSE_OVERLAP, _TIGHT_OVERLAP = 0.6, 0.8
# Boxes are duplicates if their intersection covers this share of the smaller one and
# their keypoints are at least so similar.
_DUPLICATE_OVERLAP, _DUPLICATE_SIMILARITY = 0.6, 0.2
# Candidates that overlap tracked people by more are those.
_TRACKED_OVERLAP = 0.6


class WholeImage(Detector):
    """Detect one person per image, in a box as large as the image."""

    name = 'whole_image'
    identity = identify('whole_image', '')

    def __call__(self, images: Images) -> list[Boxes]:
        """Return a box (1, 4) and its score (1,) for each BGR image."""
        sizes = [image.shape[1::-1] for image in images]
        return [(np.float32([[0, 0, *size]]), np.ones(1, np.float32)) for size in sizes]


class BoxFilter(Detector):
    """Filter the boxes of a detector by score and NMS, as MMPose's inferencer does.

    Args:
        detector (Detector): The detector.
        bbox_thr (float): Boxes with at most this score are dropped. Defaults to 0.3.
        nms_thr (float, optional): Intersection over union above which the box with the
            lower score is dropped. By default the detector's own.
    """

    def __init__(
        self, detector: Detector, bbox_thr: float = 0.3, nms_thr: float | None = None
    ) -> None:
        self.detector = detector
        self.bbox_thr = bbox_thr
        self.nms_thr = detector.nms_thr if nms_thr is None else nms_thr
        self.name, self.interval = detector.name, detector.interval
        self.redetects = detector.redetects

    @property
    def identity(self) -> dict:
        """Return the detector's identity with the thresholds."""
        thresholds = {'bbox_thr': self.bbox_thr, 'nms_thr': self.nms_thr}
        return {**self.detector.identity, **thresholds}

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
        kept = nms(np.concatenate([boxes, scores[:, None]], 1), self.nms_thr)
        return boxes[kept], scores[kept]


class PoseVerifiedDetector(Detector):
    """Verify the candidates of a small detector with the 2D pose estimator.

    The shipped detector, at a low threshold, yields most people and many false
    positives. Poses are estimated in each candidate box and once more in the box around
    the keypoints. With the detector's score ``s``, the longer side ``a`` of its box, as
    a share of the image's and at least a quarter, and the mean confidences ``c`` of
    both passes, the score of a person is ``s ** 0.4 * a ** 0.2 * (c1 * c2) ** 0.5``. As
    that takes tens of boxes per frame, the detector asks for a frame every second.
    """

    interval = 1.0
    # duplicates are recognized by their keypoints
    nms_thr = 1.0
    redetects = True
    min_score = _MIN_SCORE

    def __init__(self, estimator: PoseEstimator, detector: Detector) -> None:
        self.estimator, self.detector = estimator, detector
        self.name = f'{detector.name}, verified by {estimator.name}'
        models = {'model': estimator.identity, 'detector': detector.identity}
        self.identity = identify('pose-verified', '', **models)

    def __call__(self, images: Images) -> list[Boxes]:
        """Detect the people of BGR images (H, W, 3)."""
        candidates = self.detector(images)
        return [
            _drop_duplicates(*self._verify(image, *boxes))
            for image, boxes in zip(images, candidates, strict=True)
        ]

    def redetect(self, image: np.ndarray, tracked: People) -> Boxes:
        """Detect people; tracked ones with confident poses need not be verified."""
        [(boxes, scores)] = self.detector([image])
        confidence = mean_confidence(tracked.scores)
        kept = confidence >= _MIN_TRACKED
        tracked, confidence = tracked.take(kept), confidence[kept]
        size = image.shape[1::-1]
        own = boxes_around(tracked.keypoints, tracked.scores, _PADDING, size)
        elsewhere = box_iou(boxes[:, None], own).max(1, initial=0) < _TRACKED_OVERLAP
        new = np.flatnonzero(elsewhere & (scores >= (_MIN_NEW if len(own) else 0)))
        new = new[np.argsort(-scores[new], kind='stable')][:_MAX_NEW]
        boxes, scores, points = self._verify(
            image, boxes[new], scores[new], Placed(tracked.keypoints, own)
        )
        return _drop_duplicates(
            np.concatenate([boxes, own]),
            np.concatenate([scores, confidence]),
            np.concatenate([points, tracked.keypoints]),
        )

    def _verify(
        self,
        image: np.ndarray,
        boxes: np.ndarray,
        scores: np.ndarray,
        known: Placed | None = None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return boxes, scores and keypoints of candidates that are people.

        Known people are left out.
        """
        best = np.argsort(-scores, kind='stable')[:_MAX_CANDIDATES]
        candidates = boxes[best]
        sizes = (candidates[:, 2:] - candidates[:, :2]).max(1) / max(image.shape[:2])
        sizes = sizes.clip(_LEAST_SIZE) ** _SIZE_POWER
        scores = scores[best] ** _DETECTOR_POWER * sizes
        # confidences, of at most 1, can only lower it
        kept = scores >= self.min_score
        candidates, scores = candidates[kept], scores[kept]
        boxes, confidence, points = self._estimate(image, candidates)
        scores = scores * confidence**_POSE_POWER
        kept = scores >= self.min_score
        if known is not None:
            kept &= ~_duplicates(Placed(points, boxes), known).any(1)
        candidates, boxes, scores = candidates[kept], boxes[kept], scores[kept]
        _, confidence, points = self._estimate(image, boxes)
        scores = scores * confidence**_POSE_POWER
        kept = scores >= self.min_score
        overlap = box_iou(candidates, boxes)
        share = np.interp(overlap, [_LOOSE_OVERLAP, _TIGHT_OVERLAP], [0, 1])
        boxes += np.float32(share[:, None]) * (candidates - boxes)
        return boxes[kept], scores[kept], points[kept]

    def _estimate(
        self, image: np.ndarray, boxes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return boxes around the poses (P, 4), mean confidences (P,), keypoints."""
        [(points, scores)] = self.estimator.estimate_fast([image], [boxes])
        boxes = boxes_around(points, scores, _PADDING, image.shape[1::-1])
        return boxes, mean_confidence(scores), points


def _drop_duplicates(
    boxes: np.ndarray, scores: np.ndarray, points: np.ndarray
) -> Boxes:
    """Keep the box with the highest score of each person, highest first."""
    people = Placed(points, boxes)
    duplicate = _duplicates(people, people)
    kept: list[int] = []
    for person in np.argsort(-scores, kind='stable'):
        if not duplicate[person, kept].any():
            kept.append(person)
    return boxes[kept], scores[kept]


def _duplicates(first: Placed, second: Placed) -> np.ndarray:
    """Mark pairs (P, Q) that are of one person."""
    shared = box_overlap(first.boxes[:, None], second.boxes[None])
    similar = compare_all(first, second) >= _DUPLICATE_SIMILARITY
    return (shared > _DUPLICATE_OVERLAP) & similar
