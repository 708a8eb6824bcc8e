"""2D pose estimators and person detectors by name.

Other packages add models with :func:`register_pose_estimator` and :data:`DETECTORS`.
All other names are files, configs, and models of indexes.
"""

from collections.abc import Callable
from dataclasses import replace

from mmhot.chain.pose2d.detectors import PoseVerifiedDetector, Verification, WholeImage
from mmhot.chain.pose2d.interfaces import Detector, PoseEstimator
from mmhot.chain.pose2d.onnx_detectors import OneStageEstimator, OnnxDetector
from mmhot.chain.pose2d.onnx_models import OneStageModelError, OnnxPoseEstimator
from mmhot.chain.pose2d.options import SPEEDS, Pose2DOptions
from mmhot.chain.pose2d.turned_crops import TurnedCrops
from mmhot.chain.pose2d.user_models import UserDetector, UserEstimator
from mmhot.compat.installation import choose_device
from mmhot.errors import ArgumentError, require_signature, user_code
from mmhot.weights.index import shipped_models
from mmhot.weights.names import (
    DETECTOR,
    HUMAN,
    NAMED_FILES,
    POSE,
    named_file,
    pruned_graph,
    resolve,
    runtime,
)

POSE_VERIFIED = 'pose-verified'
PoseOpener = Callable[[Pose2DOptions], PoseEstimator]
DetectorOpener = Callable[[Pose2DOptions, float, PoseEstimator], Detector]
"""Function of the options, the least score of boxes, and the 2D model."""
POSE_ESTIMATORS: dict[str, tuple[PoseOpener, str]] = {}
"""Registered 2D pose estimators, each with the name of its default detector."""
DETECTORS: dict[str, DetectorOpener] = {WholeImage.name: lambda *_: WholeImage()}
"""Registered person detectors by name; they have no file of weights."""


def register_pose_estimator(
    name: str, opener: PoseOpener, detector: str = POSE_VERIFIED
) -> None:
    """Register a 2D pose estimator.

    Args:
        name (str): Name of the estimator for the option ``pose2d``.
        opener (Callable): Function of the options (:class:`Pose2DOptions`) that returns
            the estimator.
        detector (str): Name of the default detector.

    Example::

        mmhot.register_pose_estimator(
            'boxes', lambda options: BoxEstimator(), detector='whole_image'
        )
        clip = mmhot.infer('video.mp4', pose2d='boxes')
    """
    with user_code(f'the 2D model {name!r}'):
        require_signature(opener, 'options')
    POSE_ESTIMATORS[name] = opener, detector


def open_pose_source(
    options: Pose2DOptions,
    min_score: float = 0.3,
    fetch: Callable[[str], object] = lambda name: NAMED_FILES[name].fetch(name),
) -> tuple[Detector, PoseEstimator]:
    """Open a person detector and a 2D pose estimator.

    Args:
        options (Pose2DOptions): Names, weights, device, back end, and speed.
        min_score (float): Least score of boxes; 'pose-verified' has its own. Defaults
            to 0.3.
        fetch (Callable): Downloads a model of
            :data:`~mmhot.weights.names.NAMED_FILES` by its name, unless it exists.

    Returns:
        tuple[Detector, PoseEstimator]: Both models, open.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a name is unknown, a package is missing, or options contradict
            each other.
    """
    name = options.pose2d or shipped_models(POSE.folders)[0].name
    options = _fetch_models(replace(options, pose2d=name), fetch)
    if name in POSE_ESTIMATORS:
        _refuse_weights('pose2d', name, options.pose2d_weights)
        opener, usual_detector = POSE_ESTIMATORS[name]
        with user_code(f'the 2D model {name!r}'):
            estimator: PoseEstimator = UserEstimator(opener(options))
    else:
        estimator = _open_estimator(options, min_score)
        is_both = isinstance(estimator, OneStageEstimator) or name in HUMAN
        usual_detector = name if is_both else POSE_VERIFIED
    if options.pose2d_skeleton not in (None, estimator.skeleton):
        raise ArgumentError(
            '{pose2d_skeleton} is %r, but %s predicts the keypoints of %r: leave it '
            'out',
            options.pose2d_skeleton,
            name,
            estimator.skeleton,
        )
    if estimator.has_score_curve:
        estimator = TurnedCrops(estimator)
    options = replace(options, det_model=options.det_model or usual_detector)
    return _open_detector(options, min_score, estimator), estimator


def _fetch_models(
    options: Pose2DOptions, fetch: Callable[[str], object]
) -> Pose2DOptions:
    """Download the named models, and return options with detector and skeleton."""
    skeleton = options.pose2d_skeleton
    det_model = options.det_model
    if file := named_file(options.pose2d, POSE):
        fetch(str(options.pose2d))
        skeleton = skeleton or 'coco-17'
        det_model = det_model or file.detector
    if det_model and named_file(det_model, DETECTOR):
        fetch(det_model)
    return replace(options, pose2d_skeleton=skeleton, det_model=det_model)


def _refuse_weights(role: str, name: str, weights: str | None) -> None:
    """Raise ArgumentError if weights are given for a registered model.

    ``role`` is the beginning of the argument, 'pose2d' or 'det'.
    """
    if weights is not None:
        raise ArgumentError(
            f'{{{role}_weights}} is %s, but %s has weights of its own: leave it out',
            weights,
            name,
        )


def _open_estimator(options: Pose2DOptions, min_score: float) -> PoseEstimator:
    """Open the 2D model of a file, config or index."""
    model = resolve(options.pose2d, POSE, options.pose2d_weights)
    device = options.device
    keep_rates = SPEEDS[options.speed].keep_rates
    path = runtime(model, device, options.backend)
    if path is not None:
        if keep_rates and (pruned := pruned_graph(path, keep_rates)).is_file():
            path = pruned
        arguments = path, device, options.pose2d_skeleton
        try:
            return OnnxPoseEstimator(*arguments)
        except OneStageModelError:
            return OneStageEstimator(*arguments, min_score)
    from mmhot.chain.pose2d.mmpose_models import MMPoseEstimator

    return MMPoseEstimator(model, choose_device(device), keep_rates)


def _open_detector(
    options: Pose2DOptions, min_score: float, estimator: PoseEstimator
) -> Detector:
    """Open a registered detector, the shipped one with verification, or that of a file.

    A one-stage 2D model is its own detector.
    """
    name = options.det_model
    if name in DETECTORS:
        _refuse_weights('det', name, options.det_weights)
        with user_code(f'the detector {name!r}'):
            detector = DETECTORS[name](options, min_score, estimator)
        return detector if isinstance(detector, WholeImage) else UserDetector(detector)
    if name == POSE_VERIFIED:
        shipped = replace(options, det_model=shipped_models(DETECTOR.folders)[0].name)
        candidates = _open_detector(shipped, Verification.candidate_score, estimator)
        return PoseVerifiedDetector(estimator, candidates)
    model = resolve(name, DETECTOR, options.det_weights)
    path = runtime(model, options.device, options.backend)
    if isinstance(estimator, OneStageEstimator) and estimator.detector.path == path:
        return estimator.detector
    if path is not None:
        return OnnxDetector(path, options.device, min_score)
    from mmhot.chain.pose2d.mmpose_models import MMPoseDetector

    return MMPoseDetector(model, choose_device(options.device), min_score)
