"""Where a film goes on with another shot.

`PySceneDetect <https://www.scenedetect.com>`_ does the work; it is told small pictures.
"""

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from scenedetect.detectors import ContentDetector

# Longer side of the pictures that are compared.
_SIZE = 192
# Pictures whose channels differ by less than that on average have no colours.
_GREY = 6
# A flash is over after so many frames.
_FLASH = 3


class CutDetector:
    """Finds the frames with which shots begin.

    Two frames belong to different shots if hue, saturation and brightness, or the
    brightness of pictures without colours, differ by more than 27 of 255 on average:
    PySceneDetect's own threshold, below which pans and flickering lights stay as a
    rule. If the film is as before within three frames, that was a flash. Dissolves are
    not noticed.

    Attributes:
        cuts (list[int]): Frames with which shots begin, but the first.
    """

    def __init__(self) -> None:
        self.cuts: list[int] = []
        self._before: np.ndarray | None = None
        self._old_shot: np.ndarray | None = None

    def __call__(self, index: int, image: np.ndarray) -> None:
        """Look at the next frame.

        Args:
            index (int): Its number.
            image (np.ndarray): BGR, (H, W, 3).

        Raises:
            ValueError: If PySceneDetect is missing.
        """
        before, now = self._before, _reduced(image)
        self._before = now
        if before is None or not _differ(before, now):
            return
        flashes = self.cuts and index - self.cuts[-1] <= _FLASH
        if flashes and not _differ(self._old_shot, now):
            self.cuts.pop()
            return
        self.cuts.append(index)
        self._old_shot = before


def _reduced(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    zoom = min(1, _SIZE / max(height, width))
    size = max(1, round(width * zoom)), max(1, round(height * zoom))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _differ(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two small pictures are of different shots."""
    if one.shape != other.shape:
        return True
    grey = all(np.ptp(image, axis=-1).mean() < _GREY for image in (one, other))
    detector = _detector(grey)
    detector.process_frame(0, one)
    return bool(detector.process_frame(1, other))


def _detector(grey: bool) -> 'ContentDetector':
    try:
        # takes a quarter of a second, and pictures do without
        from scenedetect.detectors import ContentDetector
    except ImportError as error:
        raise ValueError(
            "films need PySceneDetect: pip install 'scenedetect==0.6.7.1'"
        ) from error
    return ContentDetector(min_scene_len=1, luma_only=grey)
