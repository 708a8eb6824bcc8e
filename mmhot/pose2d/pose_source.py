"""2D pose estimator and person detector by name.

Other packages add theirs with :func:`register_pose_estimator` and :data:`DETECTORS`.
All other names are files, configs, and models of indexes.
"""

import logging
from collections.abc import Callable
from dataclasses import replace

from mmhot.compat.installation import choose_device
from mmhot.errors import ArgumentError, user_code
from mmhot.pose2d.detectors import PoseVerifiedDetector, Verification, WholeImage
from mmhot.pose2d.interfaces import Detector, PoseEstimator
from mmhot.pose2d.onnx_detectors import OneStageEstimator, OnnxDetector
from mmhot.pose2d.onnx_models import OneStageModelError, OnnxPoseEstimator
from mmhot.pose2d.options import SPEEDS, Pose2DOptions
from mmhot.pose2d.turned_crops import TurnedCrops
from mmhot.pose2d.user_models import UserDetector, UserEstimator
from mmhot.weights.index import shipped_models
from mmhot.weights.names import (
    DETECTOR,
    HUMAN,
    NAMED_FILES,
    POSE,
    named_file,
    resolve,
    runtime,
)

_LOGGER = logging.getLogger(__name__)

POSE_VERIFIED = 'pose-verified'
PoseOpener = Callable[[Pose2DOptions], PoseEstimator]
DetectorOpener = Callable[[Pose2DOptions, float, PoseEstimator], Detector]
"""Opens a detector by the options, the least score of its boxes, and the 2D model."""
POSE_ESTIMATORS: dict[str, tuple[PoseOpener, str]] = {}
"""Registered 2D pose estimators, each with the name of its default detector."""
DETECTORS: dict[str, DetectorOpener] = {WholeImage.name: lambda *_: WholeImage()}
"""Person detectors without weights of the options, by name."""


def register_pose_estimator(
    name: str, opener: PoseOpener, detector: str = POSE_VERIFIED
) -> None:
    """Register a 2D pose estimator.

    Args:
        name (str): Its name.
        opener (Callable): Opens it, by the options.
        detector (str): Name of the default detector.

    Example::

        mmhot.register_pose_estimator(
            'boxes', lambda options: BoxEstimator(), detector='whole_image'
        )
        clip = mmhot.infer('video.mp4', pose2d='boxes')
    """
    POSE_ESTIMATORS[name] = opener, detector


def open_pose_source(
    options: Pose2DOptions,
    min_score: float = 0.3,
    fetch: Callable[[str], object] = lambda name: NAMED_FILES[name].fetch(name),
) -> tuple[Detector, PoseEstimator]:
    """Open a person detector and a 2D pose estimator.

    Where the detector of a named 2D model cannot be downloaded, it is 'pose-verified'.

    Args:
        options (Pose2DOptions): Names, weights, and how they run.
        min_score (float): Least score of boxes; 'pose-verified' has its own. Defaults
            to 0.3.
        fetch (Callable): Downloads a model of
            :data:`~mmhot.weights.names.NAMED_FILES`, unless it is there.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a name is unknown, a package is missing, or options contradict
            each other.
    """
    name, det_model = options.pose2d, options.det_model
    skeleton = options.pose2d_skeleton
    name = name or shipped_models(POSE.folders)[0].name
    if file := named_file(name, POSE):
        fetch(name)
        if file.detector is not None:
            det_model = det_model or _fetch_detector(file.detector, fetch)
        skeleton = skeleton or 'coco-17'
    if det_model and named_file(det_model, DETECTOR):
        fetch(det_model)
    options = replace(options, pose2d=name, pose2d_skeleton=skeleton)
    if name in POSE_ESTIMATORS:
        _refuse_weights('pose2d', name, options.pose2d_weights)
        opener, usual_detector = POSE_ESTIMATORS[name]
        with user_code(f'the 2D model {name!r}'):
            estimator: PoseEstimator = UserEstimator(opener(options))
    else:
        estimator, usual_detector = _open_estimator(options, min_score), POSE_VERIFIED
    if skeleton not in (None, estimator.skeleton):
        text = '{pose2d_skeleton} is %r, but the keypoints of %s are those of %r'
        raise ArgumentError(text, skeleton, name, estimator.skeleton)
    if estimator.has_score_curve:
        estimator = TurnedCrops(estimator)
    is_both = isinstance(estimator, OneStageEstimator) or name in HUMAN
    det_model = det_model or (name if is_both else usual_detector)
    options = replace(options, det_model=det_model)
    if det_model in DETECTORS:
        _refuse_weights('det', det_model, options.det_weights)
        with user_code(f'the detector {det_model!r}'):
            detector = DETECTORS[det_model](options, min_score, estimator)
        if not isinstance(detector, WholeImage):
            detector = UserDetector(detector)
    elif det_model == POSE_VERIFIED:
        shipped = replace(options, det_model=shipped_models(DETECTOR.folders)[0].name)
        candidates = _open_detector(shipped, Verification.candidate_score)
        detector = PoseVerifiedDetector(estimator, candidates)
    else:
        detector = _open_detector(options, min_score, estimator)
    return detector, estimator


def _fetch_detector(name: str, fetch: Callable[[str], object]) -> str:
    """Download a detector, or choose the shipped one if the download fails."""
    try:
        fetch(name)
    except ValueError as error:
        text = '%s: the shipped detector is used, which finds fewer people'
        _LOGGER.warning(ArgumentError(text, error))
        return POSE_VERIFIED
    return name


def _refuse_weights(role: str, name: str, weights: str | None) -> None:
    if weights is not None:
        text = f'{{{role}_weights}} is %s, but %s has its own weights'
        raise ArgumentError(text, weights, name)


def _open_estimator(options: Pose2DOptions, min_score: float) -> PoseEstimator:
    model = resolve(options.pose2d, POSE, options.pose2d_weights)
    device, keep_rates = options.device, SPEEDS[options.speed].keep_rates
    path = runtime(model, device, options.backend)
    if path is not None:
        path = model.pruned(keep_rates) or path
        arguments = path, device, options.pose2d_skeleton
        try:
            return OnnxPoseEstimator(*arguments)
        except OneStageModelError:
            return OneStageEstimator(*arguments, min_score)
    from mmhot.pose2d.mmpose_models import MMPoseEstimator

    return MMPoseEstimator(model, choose_device(device), keep_rates)


def _open_detector(
    options: Pose2DOptions, min_score: float, estimator: PoseEstimator | None = None
) -> Detector:
    model = resolve(options.det_model, DETECTOR, options.det_weights)
    device = options.device
    path = runtime(model, device, options.backend)
    if isinstance(estimator, OneStageEstimator) and estimator.detector.path == path:
        return estimator.detector
    if path is not None:
        return OnnxDetector(path, device, min_score)
    from mmhot.pose2d.mmpose_models import MMPoseDetector

    return MMPoseDetector(model, choose_device(device), min_score)
