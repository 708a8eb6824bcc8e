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

_Shapes = list[tuple[tuple[int, ...], tuple[int, ...]]]
"""Shapes of pairs of arrays."""


class UserDetector(Detector):
    """Run a detector of a user, and check the shapes of its boxes and scores.

    Its errors, and wrong shapes, are raised as :class:`~mmhot.errors.StepError`.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        vars(self).update(_attributes_of(detector, Detector))

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
        return _checked(
            lambda: detect(images),
            f'the detector {self.name!r}',
            f'boxes (P, 4) and scores (P,) of each of {len(images)} images',
            lambda shapes: (
                len(shapes) == len(images)
                and all(x[1:] == (4,) and x[:1] == y for x, y in shapes)
            ),
        )


class UserEstimator(PoseEstimator):
    """Run a 2D model of a user, and check the shapes of its keypoints and scores.

    Its errors, and wrong shapes, are raised as :class:`~mmhot.errors.StepError`.
    """

    def __init__(self, estimator: PoseEstimator) -> None:
        self._estimator = estimator
        vars(self).update(_attributes_of(estimator, PoseEstimator))

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
        count = get_skeleton(self.skeleton).num_keypoints
        wanted = [((len(x), count, 2), (len(x), count)) for x in boxes]
        return _checked(
            lambda: estimate(images, boxes, *more),
            f'the 2D model {self.name!r}',
            f'keypoints (P, {count}, 2) and scores (P, {count}) of {self.skeleton} for '
            f'the P boxes of each of {len(boxes)} images',
            lambda shapes: shapes == wanted,
        )


def _attributes_of(model: Detector | PoseEstimator, kind: type) -> dict[str, Any]:
    """Return what an interface declares of a model; its sources are identity, too."""
    attributes = {name: getattr(model, name) for name in kind.__annotations__}
    sources = {'sources': digest_of_part(type(model))}
    return attributes | {'identity': {**model.identity, **sources}}


def _checked(
    run: Callable[[], Any], part: str, text: str, fits: Callable[[_Shapes], bool]
) -> Any:
    """Return pairs of arrays from code of a user if their shapes fit.

    ``text`` describes these shapes, and ``part`` the code.
    """
    with user_code(part):
        found = run()
        try:
            shapes = [(np.shape(first), np.shape(second)) for first, second in found]
        except (TypeError, ValueError):
            shapes = []
        if not fits(shapes):
            got = reprlib.repr(shapes) if shapes else f'a {type(found).__name__}'
            raise ValueError(f'must return a list of pairs, {text}; it returned {got}')
    return found
