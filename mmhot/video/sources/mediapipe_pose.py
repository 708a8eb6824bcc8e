"""MediaPipe's Pose Landmarker (BlazePose): a detector, and 33 keypoints per box.

MediaPipe requires packages that the landmarker does not import, among them an OpenCV
that would overwrite the installed one: :data:`INSTALL` leaves them out.
"""

import importlib.util
import weakref
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

from mmhot.errors import require_file
from mmhot.video.cache import identify
from mmhot.video.people import Boxes, Crop, CropEstimator, Detector, Poses, boxes_around
from mmhot.weights.downloads import download

INSTALL = 'pip install --no-deps mediapipe && pip install absl-py certifi flatbuffers'
MODEL_URL = (
    'https://storage.googleapis.com/mediapipe-models/pose_landmarker/'
    'pose_landmarker_full/float16/latest/pose_landmarker_full.task'
)
"""Model file of Google's, Apache-2.0, 9 MB."""
_HINT = ': give a Pose Landmarker (.task) as pose2d_weights'
_NUM_KEYPOINTS = 33
_MAX_PEOPLE = 6
_PADDING, _BOX_PADDING = 1.25, 0.1
_MIN_CROP_SIDE = 16
_MISSED = np.full((33, 2), np.nan), np.zeros(33)
# What MediaPipe raises if it, or a model file, is broken.
_FAILURES = (AttributeError, ImportError, OSError, RuntimeError, TypeError, ValueError)


def is_installed() -> bool:
    """Return whether MediaPipe is installed, without importing it."""
    return importlib.util.find_spec('mediapipe') is not None


class _Landmarker:
    """A Pose Landmarker for single images.

    Args:
        weights (str, optional): Model file (.task); downloaded by default.
        num_poses (int): Most people in an image.
        min_score (float): Least confidence of detection and presence.
    """

    def __init__(self, weights: str | None, num_poses: int, min_score: float) -> None:
        if not is_installed():
            raise ValueError(f'mediapipe is not installed: {INSTALL}')
        self.path = require_file(weights or download(MODEL_URL, _HINT))
        try:
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision

            # bytes: MediaPipe opens no paths with other letters on Windows
            base = BaseOptions(model_asset_buffer=self.path.read_bytes())
            options = vision.PoseLandmarkerOptions(
                base_options=base,
                num_poses=num_poses,
                min_pose_detection_confidence=min_score,
                min_pose_presence_confidence=min_score,
            )
            self._landmarker = vision.PoseLandmarker.create_from_options(options)
        except _FAILURES as error:
            reason = ' '.join(str(error).split())
            raise ValueError(
                f'mediapipe cannot open {self.path} ({reason:.100}){_HINT}, or '
                f'reinstall mediapipe: {INSTALL}'
            ) from error
        # MediaPipe prints a traceback if it is not closed when Python ends
        weakref.finalize(self, self._landmarker.close)
        self._mediapipe: Any = mediapipe
        self.name = f'mediapipe {getattr(mediapipe, "__version__", "")}'.rstrip()

    def __call__(self, image: np.ndarray) -> Poses:
        """Find people in a BGR image: keypoints (P, 33, 2), visibility (P, 33)."""
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        kind = self._mediapipe.ImageFormat.SRGB
        found = self._landmarker.detect(
            self._mediapipe.Image(image_format=kind, data=rgb)
        ).pose_landmarks
        marks = [[(mark.x, mark.y, mark.visibility) for mark in one] for one in found]
        marks = np.array(marks, np.float32).reshape(-1, _NUM_KEYPOINTS, 3)
        return marks[..., :2] * image.shape[1::-1], marks[..., 2]


class MediapipeEstimator(CropEstimator):
    """Estimate the pose in each box with MediaPipe.

    Where it detects no person in a box, keypoints are NaN and scores 0.

    Args:
        weights (str, optional): Pose Landmarker (.task). By default Google's "full"
            one, which is downloaded once.
        min_score (float): Least detection confidence within a box. Defaults to 0.5.

    Raises:
        FileNotFoundError: If the model file does not exist.
        ValueError: If MediaPipe is missing or broken, or the model file is no Pose
            Landmarker or cannot be downloaded.
    """

    skeleton, num_keypoints = 'mediapipe-33', _NUM_KEYPOINTS

    def __init__(self, weights: str | None = None, min_score: float = 0.5) -> None:
        self._landmarker = _Landmarker(weights, 1, min_score)
        self.weights = str(self._landmarker.path)
        self.name = self._landmarker.name
        self.identity = identify(self.name, self.weights, min_score=min_score)

    def estimate_crops(self, crops: list[Crop], flip_test: bool) -> Iterator[Poses]:
        """Estimate keypoints (33, 2) and scores (33,) of each pair of image and box."""
        for image, box in crops:
            left, top, right, bottom = _pad(box, image.shape)
            points = ()
            if min(right - left, bottom - top) >= _MIN_CROP_SIDE:
                points, visibility = self._landmarker(image[top:bottom, left:right])
            yield (points[0] + (left, top), visibility[0]) if len(points) else _MISSED


class MediapipeDetector(Detector):
    """Detect up to six people with MediaPipe: boxes around their keypoints.

    Args:
        weights (str, optional): As above.
        min_score (float): Least detection confidence. Defaults to 0.5.

    Raises:
        FileNotFoundError: As above.
        ValueError: As above.
    """

    def __init__(self, weights: str | None = None, min_score: float = 0.5) -> None:
        self._landmarker = _Landmarker(weights, _MAX_PEOPLE, min_score)
        self.name = self._landmarker.name
        path = self._landmarker.path
        self.identity = identify(self.name, path, min_score=min_score, detects=True)

    def __call__(self, images: list[np.ndarray]) -> list[Boxes]:
        """Detect the people of BGR images (H, W, 3)."""
        return [self._detect(image) for image in images]

    def _detect(self, image: np.ndarray) -> Boxes:
        points, scores = self._landmarker(image)
        boxes = boxes_around(points, scores, _BOX_PADDING, image.shape[1::-1])
        return boxes, scores.mean(1)


def _pad(box: np.ndarray, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Enlarge a box within the image; returns left, top, right, bottom."""
    center, extent = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) * _PADDING
    size = np.array(shape[1::-1])
    start = np.floor(center - extent / 2).clip(0, size).astype(int)
    end = np.ceil(center + extent / 2).clip(0, size).astype(int)
    return int(start[0]), int(start[1]), int(end[0]), int(end[1])
