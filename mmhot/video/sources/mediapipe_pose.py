"""MediaPipe's pose solution: 33 keypoints of one person, its models in the package.

It requires more packages than the pose solution imports, and an OpenCV that would
overwrite the installed one: :data:`INSTALL` leaves them out.
"""

import importlib.util

import cv2
import numpy as np

from mmhot.video.sources.model_digests import identify

VERSION = '0.10.21'
# Without its requirements, and then those that the pose solution imports. It has wheels
# for Python 3.12 and older, and works with NumPy 2.
INSTALL = (
    f'pip install --no-deps mediapipe=={VERSION} && '
    "pip install absl-py attrs flatbuffers 'protobuf>=4.25.3,<5'"
)
_NUM_KEYPOINTS = 33
# Of boxes, so that nothing of a person is cut off.
_PADDING = 1.25
# Smaller pictures of people show nothing.
_LEAST_SIDE = 16


def is_installed() -> bool:
    """Whether MediaPipe is there; it is not imported."""
    return importlib.util.find_spec('mediapipe') is not None


class MediapipeEstimator:
    """BlazePose as MediaPipe 0.10.21 has it, in each box by itself.

    It detects one person within a box. Where it finds nobody, keypoints are NaN and
    scores 0.

    Args:
        min_score (float): Of that detection. Defaults to 0.5.

    Raises:
        ValueError: If MediaPipe is missing, or is a version without its models.
    """

    skeleton = 'mediapipe-33'

    def __init__(self, min_score: float = 0.5) -> None:
        if not is_installed():
            raise ValueError(f'mediapipe is not installed: {INSTALL}')
        try:
            import mediapipe

            # each crop is another person, so nothing is taken from the one before
            self._pose = mediapipe.solutions.pose.Pose(
                static_image_mode=True,
                model_complexity=1,
                min_detection_confidence=min_score,
            )
        except (AttributeError, ImportError, OSError, RuntimeError, TypeError) as error:
            reason = ' '.join(str(error).split())
            raise ValueError(
                f'mediapipe does not work here ({reason:.100}): {INSTALL}'
            ) from error
        version = getattr(mediapipe, '__version__', 'unknown')
        self.name = f'mediapipe {version}'
        self.identity = identify(self.name, 'within', min_score=min_score)

    def __call__(
        self, images: list[np.ndarray], boxes: list[np.ndarray]
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Keypoints (P, 33, 2) and scores (P, 33) for boxes (P, 4) of each image."""
        return [
            self._estimate(image, of_image)
            for image, of_image in zip(images, boxes, strict=True)
        ]

    def _estimate(
        self, image: np.ndarray, boxes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        keypoints = np.full((len(boxes), _NUM_KEYPOINTS, 2), np.nan, np.float32)
        scores = np.zeros((len(boxes), _NUM_KEYPOINTS), np.float32)
        for person, box in enumerate(boxes):
            left, top, right, bottom = _padded(box, image.shape)
            if min(right - left, bottom - top) < _LEAST_SIDE:
                continue
            crop = cv2.cvtColor(image[top:bottom, left:right], cv2.COLOR_BGR2RGB)
            found = self._pose.process(crop).pose_landmarks
            if found is None:
                continue
            points = np.array([(mark.x, mark.y) for mark in found.landmark])
            size = (right - left, bottom - top)
            keypoints[person] = points * size + (left, top)
            scores[person] = [mark.visibility for mark in found.landmark]
        return keypoints, scores


def _padded(box: np.ndarray, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Room around a box, as far as the picture goes: left, top, right, bottom."""
    center, extent = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) * _PADDING
    size = np.array(shape[1::-1])
    start = np.floor(center - extent / 2).clip(0, size).astype(int)
    end = np.ceil(center + extent / 2).clip(0, size).astype(int)
    return int(start[0]), int(start[1]), int(end[0]), int(end[1])
