"""2D pose estimator and person detector by name: tables of the kinds, and their choice.

A kind of model is one module and one line in :data:`POSE_ESTIMATORS` or
:data:`DETECTORS`; :func:`register_pose_estimator` and :func:`register_detector` add
kinds of other packages.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from mmhot.compat.installation import choose_device
from mmhot.errors import ArgumentError
from mmhot.pose2d.detectors import (
    PoseVerifiedDetector,
    Verification,
    WholeImage,
)
from mmhot.pose2d.interfaces import Detector, PoseEstimator
from mmhot.pose2d.onnx_detectors import OneStageEstimator, OnnxDetector
from mmhot.pose2d.onnx_models import OneStageModelError, OnnxPoseEstimator
from mmhot.pose2d.turned_crops import TurnedCrops
from mmhot.weights.index import AUTO, shipped_models
from mmhot.weights.names import (
    DETECTOR,
    NAMED_FILES,
    POSE,
    Model,
    Task,
    choose_best,
    named_file,
    resolve,
    runtime,
)

_LOGGER = logging.getLogger(__name__)

WHOLE_IMAGE = 'whole_image'
POSE_VERIFIED = 'pose-verified'
_HUMAN = 'human'


@dataclass(frozen=True)
class ModelRequest:
    """Arguments with which a model is opened, as of :func:`open_pose_source`.

    Attributes:
        model (str): Name or file.
        weights (str, optional): Checkpoint.
        estimator (PoseEstimator, optional): For detectors: the 2D pose estimator.
    """

    model: str
    weights: str | None = None
    device: str = 'auto'
    backend: str = 'auto'
    skeleton: str | None = None
    min_score: float = 0.3
    keep_rates: tuple[float, ...] | None = None
    estimator: PoseEstimator | None = None

    def resolve(self, task: Task) -> tuple[Model, Path | None]:
        """Return the model, and its ONNX file, or None for PyTorch."""
        model = resolve(self.model, task, self.weights)
        return model, runtime(model, self.device, self.backend)


class ModelKind(NamedTuple):
    """How models of one name are opened.

    Attributes:
        open (Callable): Opens a model.
        takes_weights (bool): Whether it may be given a checkpoint.
        detector (str): For 2D models: name of the default detector.
    """

    open: Callable[[ModelRequest], Any]
    takes_weights: bool = False
    detector: str = _HUMAN


class PoseSource(NamedTuple):
    """A person detector and a 2D pose estimator."""

    detector: Detector
    estimator: PoseEstimator


def register_pose_estimator(
    name: str,
    opener: Callable[[ModelRequest], PoseEstimator],
    detector: str = _HUMAN,
    takes_weights: bool = False,
) -> None:
    """Register a 2D pose estimator.

    Args:
        name (str): Its name.
        opener (Callable): Opens it.
        detector (str): Name of the default detector. Defaults to 'human'.
        takes_weights (bool): Whether it may be given a checkpoint. Defaults to False.
    """
    POSE_ESTIMATORS[name] = ModelKind(opener, takes_weights, detector)


def register_detector(
    name: str, opener: Callable[[ModelRequest], Detector], takes_weights: bool = False
) -> None:
    """Register a person detector; arguments as above."""
    DETECTORS[name] = ModelKind(opener, takes_weights)


def open_pose_source(
    pose2d: str | None = None,
    pose2d_weights: str | None = None,
    det_model: str | None = None,
    det_weights: str | None = None,
    device: str = 'auto',
    min_score: float = 0.3,
    skeleton: str | None = None,
    backend: str = 'auto',
    keep_rates: tuple[float, ...] | None = None,
    fetch: Callable[[str], object] = lambda name: NAMED_FILES[name].fetch(name),
) -> PoseSource:
    """Open a 2D pose estimator and its detector.

    Args:
        pose2d (str, optional): An .onnx file, an archive (.zip) or folder of MMDeploy's
            SDK, a folder of ``mmhot export``, an address of one of these
            (:func:`mmhot.weights.hub.local_file`), a config file, a name or alias of
            mmhot's or MMPose's models, one of
            :data:`~mmhot.weights.names.NAMED_FILES`, a registered name, or
            'auto', see :func:`~mmhot.weights.names.choose_best`. By default
            the shipped model.
        pose2d_weights (str, optional): Checkpoint of a config or name; by default that
            of the model index.
        det_model (str, optional): The same kinds of files, a config file, a name or
            alias of mmhot's or MMDetection's models, 'rtmdet-nano', which is
            downloaded once, 'human' for the detector of MMPose's inferencer,
            'pose-verified' for the shipped small detector whose boxes the 2D model
            verifies, or 'whole_image'. By default 'pose-verified' with shipped 2D
            weights, 'rtmdet-nano' with 'movenet' and 'rtmpose-m' ('pose-verified' if it
            cannot be downloaded), RTMO itself, otherwise 'human' ('pose-verified' if
            that is not installed).
        det_weights (str, optional): Checkpoint of the detector.
        device (str): Device. Defaults to 'auto', the GPU if there is one.
        min_score (float): Least score of boxes; 'pose-verified' has its own. Defaults
            to 0.3.
        skeleton (str, optional): Skeleton of the keypoints, for .onnx files that do not
            name theirs.
        backend (str): 'torch', 'onnx', or 'auto', the default, see
            :func:`mmhot.weights.names.runtime`.
        keep_rates (tuple[float], optional): Keep rates of GTPT; other models have none.
            By default as trained.
        fetch (Callable): Downloads a model of
            :data:`~mmhot.weights.names.NAMED_FILES`, unless it is there.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a name is unknown, a package is missing, or arguments contradict
            each other.
    """
    if pose2d == AUTO:
        if pose2d_weights is not None:
            raise ArgumentError(
                '{pose2d_weights} is %s, which needs the name of its model ({pose2d}), '
                'not %s',
                pose2d_weights,
                AUTO,
            )
        pose2d = choose_best()
    pose2d = pose2d or shipped_models(POSE.folders)[0].name
    if file := named_file(pose2d, POSE):
        fetch(pose2d)
        det_model = det_model or _fetch_detector(file.detector, fetch)
        skeleton = skeleton or 'coco-17'
    if det_model and named_file(det_model, DETECTOR):
        fetch(det_model)
    settings = device, backend, skeleton, min_score, keep_rates
    request = ModelRequest(pose2d, pose2d_weights, *settings)
    kind = POSE_ESTIMATORS.get(request.model)
    estimator = _open(kind or ModelKind(_open_estimator, True), request, 'pose2d')
    if skeleton not in (None, estimator.skeleton):
        text = '{pose2d_skeleton} is %r, but the keypoints of %s are those of %r'
        raise ArgumentError(text, skeleton, request.model, estimator.skeleton)
    if estimator.has_score_curve:
        estimator = TurnedCrops(estimator)
    request = replace(request, estimator=estimator)
    det_model = det_model or (kind.detector if kind else _choose_detector(request))
    request = replace(request, model=det_model, weights=det_weights)
    kind = DETECTORS.get(det_model, ModelKind(_open_detector, True))
    return PoseSource(_open(kind, request, 'det'), estimator)


def _fetch_detector(name: str | None, fetch: Callable[[str], object]) -> str | None:
    """Download a detector, or choose the shipped one where that is not possible."""
    if name is None:
        return None
    try:
        fetch(name)
    except ValueError as error:
        _LOGGER.warning(
            '%s: the shipped detector is used, which finds fewer people', error
        )
        return POSE_VERIFIED
    return name


def _open(kind: ModelKind, request: ModelRequest, role: str) -> Any:
    """Open a model, unless it was given weights that it cannot take."""
    if request.weights is not None and not kind.takes_weights:
        text = f'{{{role}_weights}} is %s, but %s has its own weights'
        raise ArgumentError(text, request.weights, request.model)
    return kind.open(request)


def _open_estimator(request: ModelRequest) -> PoseEstimator:
    (model, path), keep_rates = request.resolve(POSE), request.keep_rates
    if path is not None:
        path = model.pruned(keep_rates) or path
        arguments = path, request.device, request.skeleton
        try:
            return OnnxPoseEstimator(*arguments)
        except OneStageModelError:
            return OneStageEstimator(*arguments, request.min_score)
    from mmhot.pose2d.mmpose_models import MMPoseEstimator

    device = choose_device(request.device)
    return MMPoseEstimator(
        request.model, request.weights, device, keep_rates=keep_rates
    )


def _open_detector(request: ModelRequest) -> Detector:
    (_, path), least = request.resolve(DETECTOR), request.min_score
    estimator = request.estimator
    if isinstance(estimator, OneStageEstimator) and estimator.detector.path == path:
        return estimator.detector
    if path is not None:
        return OnnxDetector(path, request.device, least)
    from mmhot.pose2d.mmpose_models import MMPoseDetector

    device = choose_device(request.device)
    return MMPoseDetector(request.model, request.weights, device, least)


def _choose_detector(request: ModelRequest) -> str:
    """Name the detector of a 2D model that was opened."""
    if isinstance(request.estimator, OneStageEstimator):
        return request.model
    model = resolve(request.model, POSE, request.weights)
    if model.is_exported:
        return _HUMAN if find_spec('torch') and find_spec('mmdet') else POSE_VERIFIED
    # no download if the 2D model needs none
    return _HUMAN if model.graph is None else POSE_VERIFIED


def _open_pose_verified(request: ModelRequest) -> PoseVerifiedDetector:
    name = shipped_models(DETECTOR.folders)[0].name
    least = Verification.candidate_score
    assert request.estimator is not None  # it verifies
    candidates = replace(request, model=name, min_score=least, estimator=None)
    return PoseVerifiedDetector(request.estimator, _open_detector(candidates))


POSE_ESTIMATORS: dict[str, ModelKind] = {}
"""Registered 2D pose estimators; other names are files, configs, models of indexes."""
DETECTORS = {
    POSE_VERIFIED: ModelKind(_open_pose_verified, takes_weights=True),
    WHOLE_IMAGE: ModelKind(lambda request: WholeImage()),
}
"""Person detectors by name."""
