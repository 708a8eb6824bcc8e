"""Where a film goes on with another shot.

`PySceneDetect <https://www.scenedetect.com>`_ does the work; it is told small pictures.
"""

import cv2
import numpy as np

# Longer side of the pictures that are compared.
_SIZE = 256


class CutDetector:
    """Tells frame by frame where a shot begins.

    Two frames belong to different shots if hue, saturation and brightness differ by
    more than 27 of 255 on average, PySceneDetect's own threshold: pans and flashing
    lights stay below that as a rule. Dissolves are not noticed.

    Raises:
        ValueError: If PySceneDetect is missing.
    """

    def __init__(self) -> None:
        try:
            # takes a quarter of a second, and pictures do without
            from scenedetect.detectors import ContentDetector
        except ImportError as error:
            raise ValueError(
                "films need PySceneDetect: pip install 'scenedetect==0.6.7.1'"
            ) from error
        self._detector = ContentDetector(min_scene_len=1)
        self._count = 0

    def __call__(self, image: np.ndarray) -> bool:
        """Whether a shot begins with a frame (BGR, (H, W, 3)), except the first."""
        height, width = image.shape[:2]
        zoom = min(1, _SIZE / max(height, width))
        size = max(1, round(width * zoom)), max(1, round(height * zoom))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        cuts = self._detector.process_frame(self._count, small)
        self._count += 1
        return bool(cuts)
