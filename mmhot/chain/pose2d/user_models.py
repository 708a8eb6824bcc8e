"""Detectors and 2D models of users: their errors are named, their results checked."""

import reprlib
from collections.abc import Callable
from typing import Any

import numpy as np

from mmhot.chain.pose2d.interfaces import (
    BoxArrays,
    Detector,
    Images,
    PoseEstimator,
    Prior,
)
from mmhot.errors import user_code
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.people import Boxes, People, Pose
from mmhot.version import digest_of_part


class UserDetector(Detector):
    """Run a detector of a user, and check the shapes of its boxes and scores.

    Its errors, and wrong shapes, are raised as :class:`~mmhot.errors.StepError`.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self.name = detector.name
        self.identity = _identity_of(detector)
        self.interval = detector.interval
        self.nms_thr = detector.nms_thr
        self.redetects = detector.redetects

    def __call__(self, images: Images) -> list[Boxes]:
        """Detect the people in BGR images (H, W, 3)."""
        return self._check(self._detector, images)

    def redetect(self, image: np.ndarray, tracked: People) -> Boxes:
        """Detect all people in an image (H, W, 3), given the people tracked in it."""
        [found] = self._check(
            lambda images: [self._detector.redetect(images[0], tracked)], [image]
        )
        return found

    def _check(self, detect: Callable[[Images], Any], images: Images) -> list[Boxes]:
        """Call the detector, and check the shapes (P, 4) and (P,) that it returns."""
        with user_code(f'the detector {self.name!r}'):
            found = detect(images)
            counts = [sizes[0] for _, sizes in _shapes_of(found) if len(sizes) == 1]
            wanted = [((count, 4), (count,)) for count in counts]
            _require(
                found,
                wanted if len(counts) == len(images) else None,
                f'boxes (P, 4) and scores (P,) of each of {len(images)} images',
            )
        return found


class UserEstimator(PoseEstimator):
    """Run a 2D model of a user, and check the shapes of its keypoints and scores.

    Its errors, and wrong shapes, are raised as :class:`~mmhot.errors.StepError`.
    """

    def __init__(self, estimator: PoseEstimator) -> None:
        self._estimator = estimator
        self.name = estimator.name
        self.identity = _identity_of(estimator)
        self.skeleton = estimator.skeleton
        self.has_score_curve = estimator.has_score_curve
        self.prefers_batches = estimator.prefers_batches

    def __call__(self, images: Images, boxes: BoxArrays) -> list[Pose]:
        """Estimate the poses in boxes (P, 4) of each BGR image."""
        return self._check(self._estimator, images, boxes)

    def estimate_fast(self, images: Images, boxes: BoxArrays) -> list[Pose]:
        """Estimate poses faster and less accurately."""
        return self._check(self._estimator.estimate_fast, images, boxes)

    def estimate_video(
        self, images: Images, boxes: BoxArrays, priors: list[Prior]
    ) -> list[Pose]:
        """Estimate poses in frames of a video, given their results in other frames."""
        return self._check(self._estimator.estimate_video, images, boxes, priors)

    def _check(
        self,
        estimate: Callable[..., Any],
        images: Images,
        boxes: BoxArrays,
        *more: list[Prior],
    ) -> list[Pose]:
        """Call the 2D model, and check the shapes that it returns."""
        with user_code(f'the 2D model {self.name!r}'):
            found = estimate(images, boxes, *more)
            count = get_skeleton(self.skeleton).num_keypoints
            sizes = [(len(image_boxes), count) for image_boxes in boxes]
            _require(
                found,
                [((*size, 2), size) for size in sizes],
                f'keypoints (P, {count}, 2) and scores (P, {count}) of {self.skeleton} '
                f'for the P boxes of each of {len(boxes)} images',
            )
        return found


def _identity_of(model: Detector | PoseEstimator) -> dict:
    """Return the identity that a model states, and a digest of its sources."""
    return {**model.identity, 'sources': digest_of_part(type(model))}


def _shapes_of(found: Any) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return the shapes of pairs of arrays; an empty list for anything else."""
    try:
        return [(np.shape(first), np.shape(second)) for first, second in found]
    except (TypeError, ValueError):
        return []


def _require(found: Any, wanted: list | None, text: str) -> None:
    """Raise ValueError unless pairs of arrays have the wanted shapes.

    ``text`` describes these shapes; ``wanted`` is None if the number of pairs is wrong.
    """
    shapes = _shapes_of(found)
    if shapes != wanted:
        got = reprlib.repr(shapes) if shapes else f'a {type(found).__name__}'
        raise ValueError(f'must return a list of pairs, {text}; it returned {got}')
