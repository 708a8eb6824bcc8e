"""MediaPipe's pose solution (BlazePose): 33 keypoints of one person per box.

MediaPipe requires packages that the pose solution does not import, among them an OpenCV
that would overwrite the installed one: :data:`INSTALL` leaves them out.
"""

import importlib.util

import cv2
import numpy as np

from mmhot.video.cache import identify
from mmhot.video.people import PoseEstimator, Poses

VERSION = '0.10.21'
# Has wheels for Python 3.12 and older, and works with NumPy 2.
INSTALL = (
    f'pip install --no-deps mediapipe=={VERSION} && '
    "pip install absl-py attrs flatbuffers 'protobuf>=4.25.3,<5'"
)
_NUM_KEYPOINTS = 33
_PADDING = 1.25
_MIN_CROP_SIDE = 16


def is_installed() -> bool:
    """Return whether MediaPipe is installed, without importing it."""
    return importlib.util.find_spec('mediapipe') is not None


class MediapipeEstimator(PoseEstimator):
    """Estimate the pose in each box with MediaPipe 0.10.21.

    Where it detects no person in a box, keypoints are NaN and scores 0.

    Args:
        min_score (float): Least detection confidence within a box. Defaults to 0.5.

    Raises:
        ValueError: If MediaPipe is missing, or is a version without its models.
    """

    skeleton = 'mediapipe-33'

    def __init__(self, min_score: float = 0.5) -> None:
        if not is_installed():
            raise ValueError(f'mediapipe is not installed: {INSTALL}')
        try:
            import mediapipe

            # crops show different people: no tracking from one to the next
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
    ) -> list[Poses]:
        """Estimate 33 keypoints in boxes (P, 4) of each BGR image."""
        return [
            self._estimate(image, own) for image, own in zip(images, boxes, strict=True)
        ]

    def _estimate(self, image: np.ndarray, boxes: np.ndarray) -> Poses:
        keypoints = np.full((len(boxes), _NUM_KEYPOINTS, 2), np.nan, np.float32)
        scores = np.zeros((len(boxes), _NUM_KEYPOINTS), np.float32)
        for person, box in enumerate(boxes):
            left, top, right, bottom = _pad(box, image.shape)
            if min(right - left, bottom - top) < _MIN_CROP_SIDE:
                continue
            crop = cv2.cvtColor(image[top:bottom, left:right], cv2.COLOR_BGR2RGB)
            landmarks = self._pose.process(crop).pose_landmarks
            if landmarks is None:
                continue
            points = np.array([(mark.x, mark.y) for mark in landmarks.landmark])
            size = (right - left, bottom - top)
            keypoints[person] = points * size + (left, top)
            scores[person] = [mark.visibility for mark in landmarks.landmark]
        return keypoints, scores


def _pad(box: np.ndarray, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Enlarge a box within the image; returns left, top, right, bottom."""
    center, extent = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) * _PADDING
    size = np.array(shape[1::-1])
    start = np.floor(center - extent / 2).clip(0, size).astype(int)
    end = np.ceil(center + extent / 2).clip(0, size).astype(int)
    return int(start[0]), int(start[1]), int(end[0]), int(end[1])
