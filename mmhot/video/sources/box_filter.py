"""Fewer boxes: those that are sure enough, and one of those that overlap."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmhot.video.people import Detector


@dataclass
class BoxFilter:
    """A detector, some of whose boxes are left out, as MMPose's inferencer does.

    Args:
        detector (Detector): Finds boxes.
        bbox_thr (float): Boxes of this score and less are left out. Defaults to 0.3.
        nms_thr (float, optional): Of two boxes whose intersection over union is above
            this, the less sure one is left out. By default the detector's ``nms_thr``,
            otherwise 0.3.
    """

    detector: Detector
    bbox_thr: float = 0.3
    nms_thr: float | None = None

    def __post_init__(self) -> None:
        """Ask the detector what was not given."""
        if self.nms_thr is None:
            self.nms_thr = getattr(self.detector, 'nms_thr', 0.3)

    @property
    def name(self) -> str:
        """What finds the boxes, for people to read."""
        return self.detector.name

    @property
    def interval(self) -> float:
        """Seconds between the frames of a film that it sees, 0 for all of them."""
        return getattr(self.detector, 'interval', 0)

    def __getattr__(self, name: str) -> Callable:
        # has it only if the detector has: who was followed goes through the filter, too
        if name != 'again' or not hasattr(self.detector, name):
            raise AttributeError(name)
        return lambda image, known: self._filter(*self.detector.again(image, known))

    @property
    def identity(self) -> dict:
        """What results depend on."""
        thresholds = {'bbox_thr': self.bbox_thr, 'nms_thr': self.nms_thr}
        return {**self.detector.identity, **thresholds}

    def __call__(self, images: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Boxes (P, 4), xyxy pixels, and scores (P,) of each BGR image."""
        return [self._filter(*found) for found in self.detector(images)]

    def _filter(
        self, boxes: np.ndarray, scores: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        from mmpose.evaluation.functional import nms

        boxes, scores = np.asarray(boxes).reshape(-1, 4), np.asarray(scores)
        sure = scores > self.bbox_thr
        boxes, scores = boxes[sure], scores[sure]
        kept = nms(np.concatenate([boxes, scores[:, None]], 1), self.nms_thr)
        return boxes[kept], scores[kept]
