"""From what users write to a detector and a 2D model."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmhot.video.people import Detector, PoseEstimator
from mmhot.video.sources import mediapipe_pose
from mmhot.video.sources.model_digests import identify
from mmhot.video.sources.model_names import shipped_detector, shipped_pose_model
from mmhot.video.sources.verified_detector import SUSPECTED, ScanningDetector

WHOLE_IMAGE = 'whole_image'
MEDIAPIPE = 'mediapipe'
SCAN = 'scan'
_DEFAULT_DETECTOR = 'human'


class WholeImage:
    """Stands in for a detector where each picture shows one person, or part of one."""

    name = WHOLE_IMAGE
    identity = identify(WHOLE_IMAGE, '')

    def __call__(self, images: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        """The one box (1, 4) of each BGR image and its score (1,)."""
        return [
            (
                np.array([[0, 0, image.shape[1], image.shape[0]]], np.float32),
                np.ones(1, np.float32),
            )
            for image in images
        ]


class PoseSource(NamedTuple):
    """Where 2D keypoints come from.

    Attributes:
        detector (Detector): Finds people's boxes.
        estimator (PoseEstimator): Finds their keypoints.
    """

    detector: Detector
    estimator: PoseEstimator

    @property
    def name(self) -> str:
        """What was chosen, for people to read."""
        return f'{self.estimator.name} in boxes of {self.detector.name}'

    @property
    def identity(self) -> dict:
        """What results depend on: names, weights, options."""
        return {
            'detector': self.detector.identity,
            'estimator': self.estimator.identity,
        }


def open_pose_source(
    pose2d: str | None = None,
    pose2d_weights: str | None = None,
    det_model: str | None = None,
    det_weights: str | None = None,
    device: str = 'cpu',
    min_score: float = 0.3,
) -> PoseSource:
    """Open a 2D model and the detector that it needs.

    Args:
        pose2d (str, optional): An .onnx file, a config file, a name or alias of
            mmhot's or MMPose's models, or 'mediapipe'. By default MediaPipe if it is
            installed, else the 2D weights that come with this package.
        pose2d_weights (str, optional): Checkpoint of a config or name; by default
            what the model's index names.
        det_model (str, optional): An .onnx file, a config file, a name or alias of
            mmhot's or MMDetection's, 'human' for what MMPose's inferencer detects with,
            'scan' for our small detector, whose boxes the 2D model checks, or
            'whole_image'. By default 'whole_image' with MediaPipe, 'scan' with 2D
            weights of this package, and 'human' otherwise.
        det_weights (str, optional): Its checkpoint.
        device (str): PyTorch device. Defaults to 'cpu'.
        min_score (float): Boxes below are left out, but of 'scan', which has its own.
            Defaults to 0.3.

    Returns:
        PoseSource: Detector and estimator.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a name is unknown, something is not installed, or options do
            not go together.
    """
    pose2d = pose2d or _default_pose_model()
    if det_model is None:
        det_model = _default_detector(pose2d, pose2d_weights)
    estimator = _open_estimator(pose2d, pose2d_weights, device)
    if det_model == SCAN:
        _refuse_weights(det_model, det_weights, '--det-weights')
        return PoseSource(_open_scanner(estimator, device), estimator)
    detector = _open_detector(det_model, det_weights, device, min_score)
    return PoseSource(detector, estimator)


def _default_pose_model() -> str:
    if mediapipe_pose.is_installed():
        return MEDIAPIPE
    shipped = shipped_pose_model()
    if shipped is not None:
        return shipped
    raise ValueError(
        'no 2D model is here: name one with --pose2d, or install MediaPipe: '
        f'{mediapipe_pose.INSTALL}'
    )


def _default_detector(pose2d: str, weights: str | None) -> str:
    if pose2d == MEDIAPIPE:
        return WHOLE_IMAGE
    # what is had without a download goes with what is had without a download
    if weights is None and shipped_pose_model(pose2d) is not None:
        return SCAN
    return _DEFAULT_DETECTOR


def _open_estimator(model: str, weights: str | None, device: str) -> PoseEstimator:
    if model == MEDIAPIPE:
        _refuse_weights(model, weights, '--pose2d-weights')
        return mediapipe_pose.MediapipeEstimator()
    if _is_onnx(model):
        _refuse_weights(model, weights, '--pose2d-weights')
        from mmhot.video.sources.onnx_models import OnnxPoseEstimator

        return OnnxPoseEstimator(model, device)
    from mmhot.video.sources.mmpose_models import MMPoseEstimator

    return MMPoseEstimator(model, weights, device)


def _open_detector(
    model: str, weights: str | None, device: str, min_score: float
) -> Detector:
    if model == WHOLE_IMAGE:
        _refuse_weights(model, weights, '--det-weights')
        return WholeImage()
    if _is_onnx(model):
        _refuse_weights(model, weights, '--det-weights')
        from mmhot.video.sources.onnx_models import OnnxDetector

        return OnnxDetector(model, device, min_score)
    from mmhot.video.sources.mmpose_models import MMPoseDetector

    return MMPoseDetector(model, weights, device, min_score)


def _open_scanner(estimator: PoseEstimator, device: str) -> ScanningDetector:
    name = shipped_detector()
    if name is None:
        raise ValueError('scan needs the detector that comes with mmhot: install again')
    suspects = _open_detector(name, None, device, SUSPECTED)
    return ScanningDetector(estimator, suspects)


def _is_onnx(model: str) -> bool:
    return Path(model).suffix.lower() == '.onnx'


def _refuse_weights(model: str, weights: str | None, option: str) -> None:
    if weights is not None:
        raise ValueError(f'{option} does not go with {model}, which has its weights')
