"""Detectors of MMDetection and top-down 2D pose estimators of MMPose and mmhot."""

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.model.utils import stack_batch
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from mmpose.models import TopdownPoseEstimator, VisPredictHead
from mmpose.structures import PoseDataSample
from torch import nn

import mmhot.plugin  # noqa: F401 registers what our configs name
from mmhot.chain.pose2d.cache import identify
from mmhot.chain.pose2d.interfaces import Crop, CropEstimator, Detector, Images
from mmhot.deploy.captured_graphs import BATCH_SIZES, CapturedGraphs
from mmhot.deploy.half_precision import half_precision, move_to_device
from mmhot.deploy.onnx_sessions import count_threads
from mmhot.errors import ArgumentError, ignored_warnings
from mmhot.geometry.crops import crop_matrix
from mmhot.io.pickles import safe_load
from mmhot.skeletons.joints import (
    Skeleton,
    add_skeleton,
    configured_skeleton,
    get_skeleton,
)
from mmhot.structures.people import Boxes, Pose
from mmhot.weights.config_files import read_config_file
from mmhot.weights.hub import local_file
from mmhot.weights.index import find_shipped
from mmhot.weights.loading import fingerprint, load_strictly, naming_failures
from mmhot.weights.names import Model

_PERSON = 'person'
_GRAY = 114  # gray value of margins, as in RTMDet's pipelines
_BLANK = np.zeros((256, 256, 3), np.uint8)
_WHOLE = np.array([[0, 0, 256, 256]], np.float32)
_USUAL_STEPS = ['LoadImage', 'GetBBoxCenterScale', 'TopdownAffine']


class MMPoseDetector(Detector):
    """Detect people with a detector of MMDetection or mmhot.

    A detector without a class 'person' finds objects of all its classes. The checkpoint
    names the classes, or else the config's ``test_dataloader.dataset.metainfo``.

    Args:
        model (Model): Config and weights, see :func:`mmhot.weights.names.resolve`.
        device (str): PyTorch device.
        min_score (float): Least score of boxes.

    Raises:
        ValueError: If the model has no weights.
    """

    def __init__(
        self, model: Model, device: str = 'cpu', min_score: float = 0.3
    ) -> None:
        from mmdet.apis import init_detector

        self.model, meta, config = _open(
            model,
            'det_weights, or another det_model, such as pose-verified',
            init_detector,
            'mmdet',
        )
        pipeline = [*config.test_dataloader.dataset.pipeline]
        pipeline[0] = dict(type='mmdet.LoadImageFromNDArray')
        content = fingerprint(self.model, config.model, pipeline)
        with DefaultScope.overwrite_default_scope('mmdet'):
            self.pipeline = Compose(pipeline)
        configured = config.test_dataloader.dataset.get('metainfo') or {}
        classes = meta.get('classes') or configured.get('classes') or _PERSON
        classes = [classes] if isinstance(classes, str) else list(classes)
        people = [label for label, name in enumerate(classes) if name == _PERSON]
        self.labels = people or [*range(len(classes))]
        # This memory format saves a tenth of the time on a CPU.
        self.model.to(memory_format=torch.channels_last)
        move_to_device(self.model, device)
        _capture(self.model, 'bbox_head', device, (1,))
        self.min_score = min_score
        # Padding gives videos one shape, as cuDNN takes seconds to prepare for each.
        self.pads_to_squares = torch.device(device).type == 'cuda'
        if self.pads_to_squares:
            self([_BLANK])  # captures the graph
        self.name = Path(config.filename).stem
        self.identity = identify(self.name, content, min_score=min_score)

    @torch.no_grad()
    def __call__(self, images: Images) -> list[Boxes]:
        """Detect the people of BGR images (H, W, 3)."""
        samples = [self.pipeline(dict(img=x, img_id=i)) for i, x in enumerate(images)]
        device = next(self.model.parameters()).device
        # Layers of MMDetection use functions that PyTorch calls outdated.
        with ignored_warnings():
            batch = pseudo_collate(samples)
            if self.pads_to_squares:
                side = max(max(image.shape) for image in batch['inputs'])
                squares = stack_batch(batch['inputs'], side, pad_value=_GRAY)
                batch['inputs'] = squares.to(device)
            with half_precision(device):
                results = self.model.test_step(batch)
        detections = []
        for image, result in zip(images, results, strict=True):
            objects = result.pred_instances
            rows = torch.isin(objects.labels, objects.labels.new_tensor(self.labels))
            rows &= objects.scores >= self.min_score
            boxes = objects.bboxes[rows].cpu().numpy()
            boxes = boxes.clip(0, np.tile(image.shape[1::-1], 2))
            scores = objects.scores[rows].cpu().numpy()
            detections.append((boxes.astype(np.float32), scores.astype(np.float32)))
        return detections


class MMPoseEstimator(CropEstimator):
    """Estimate poses with a top-down 2D model of MMPose or mmhot.

    Args:
        model, device: As for :class:`MMPoseDetector`.
        keep_rates (tuple[float], optional): Shares of the patches that GTPT keeps,
            ignored by other models. By default as trained.

    Raises:
        ValueError: If it is not a top-down model, has no weights, or its keypoints are
            unknown.
    """

    batch_size = 64  # people per forward pass, of any images

    def __init__(
        self,
        model: Model,
        device: str = 'cpu',
        keep_rates: tuple[float, ...] | None = None,
    ) -> None:
        self.model, self._meta, config = load_pose_model(model)
        pipeline = config.test_dataloader.dataset.pipeline
        content = fingerprint(self.model, config.model, pipeline)
        # The last step is left out: it packs samples, and takes longer than all others.
        with DefaultScope.overwrite_default_scope('mmpose'):
            self._pipeline = Compose(pipeline[:-1])
        self._affine = read_affine(pipeline)
        move_to_device(self.model, device)
        _capture(self.model, 'head', device, BATCH_SIZES)
        self._map = map if device == 'cpu' else ThreadPoolExecutor(count_threads()).map
        self.prefers_batches = torch.device(device).type == 'cuda'
        self.has_score_curve = bool(self.model.test_cfg.get('score_curve'))
        self.name = Path(config.filename).stem
        skeleton = model_skeleton(self._meta, self.name)
        self.skeleton = skeleton.name
        self.num_keypoints = skeleton.num_keypoints
        options = {}
        if keep_rates is not None and hasattr(self.model.head, 'keep_rates'):
            self.model.head.keep_rates = keep_rates
            options['keep_rates'] = list(keep_rates)
        self.identity = identify(self.name, content, **options)
        if self.prefers_batches:
            self.estimate_fast([_BLANK], [_WHOLE])  # captures the graphs

    @torch.no_grad()
    def estimate_crops(self, crops: list[Crop], flip_test: bool) -> Iterator[Pose]:
        """Estimate keypoints (K, 2) and scores (K,) of each pair of image and box."""
        settings = self.model.test_cfg
        settings = {**settings, 'flip_test': flip_test and settings.get('flip_test')}
        chosen = settings.get('output_keypoint_indices', slice(None))
        for first in range(0, len(crops), self.batch_size):
            cuts = [*self._map(self._cut, crops[first : first + self.batch_size])]
            for cut, person in zip(cuts, self._predict(cuts, settings), strict=True):
                points = person.keypoints[0, chosen, :2] / cut['input_size'] - 0.5
                points = points * cut['input_scale'] + cut['input_center']
                yield points, np.minimum(person.keypoint_scores[0, chosen], 1)

    def _cut(self, crop: Crop) -> dict:
        """Cut a person out: the image (h, w, 3), and its place in the original."""
        image, box = crop
        box = np.asarray(box, np.float32)
        if self._affine is None:
            facts = dict(img=image, bbox=box[None], bbox_score=np.ones(1, np.float32))
            return self._pipeline(facts | self._meta)
        # This equals the pipeline, and holds Python's lock for less time.
        size, padding = self._affine
        aspect = size[0] / size[1]
        width, height = (box[2:] - box[:2]) * padding
        if width > height * aspect:
            height = width / aspect
        else:
            width = height * aspect
        return self._meta | dict(
            img=cv2.warpAffine(image, crop_matrix(box, size, padding), size),
            input_size=size,
            input_scale=(width, height),
            input_center=(box[2:] + box[:2]) * 0.5,
        )

    def _predict(self, cuts: list[dict], settings: dict) -> list[InstanceData]:
        """Predict as ``test_step`` does, without MMPose's sample for each person."""
        device = next(self.model.parameters()).device
        images = torch.from_numpy(np.stack([cut['img'] for cut in cuts]))
        images = images.to(device).permute(0, 3, 1, 2)
        # Heads read these to average the predictions of mirrored images.
        facts = {key: cuts[0].get(key) for key in ('input_size', 'flip_indices')}
        samples = [PoseDataSample(metainfo=facts)] * len(cuts)
        with half_precision(device):
            data = dict(inputs=images, data_samples=[])
            images = self.model.data_preprocessor(data)['inputs']
            features = self.model.extract_feat(images)
            if settings['flip_test']:
                features = [features, self.model.extract_feat(images.flip(-1))]
            poses = self.model.head.predict(features, samples, settings)
        return poses[0] if isinstance(poses, tuple) else poses


def read_affine(pipeline: list[dict]) -> tuple[tuple[int, int], float] | None:
    """Return size and padding of crops, or None for steps other than MMPose's usual.

    Args:
        pipeline (list[dict]): Steps of a test pipeline.

    Returns:
        tuple | None: Width and height in pixels, and the factor by which boxes are
        enlarged.
    """
    kinds = [str(step['type']).removeprefix('mmpose.') for step in pipeline]
    used = {name for step in pipeline for name, value in step.items() if value}
    if kinds[:-1] != _USUAL_STEPS or used & {'use_udp', 'to_float32'}:
        return None
    return tuple(pipeline[2]['input_size']), pipeline[1].get('padding', 1.25)


def _capture(
    model: nn.Module, name: str, device: str, batch_sizes: tuple[int, ...]
) -> None:
    """Run backbone, neck and head of a model as one captured graph, on a GPU."""
    if torch.device(device).type != 'cuda':
        return
    from mmdet.models import SingleStageDetector

    # Other models have several heads, or a head that runs twice or has more inputs.
    is_plain = isinstance(model, SingleStageDetector | TopdownPoseEstimator)
    if not is_plain or isinstance(getattr(model, name), VisPredictHead):
        return
    head = getattr(model, name)
    extract = model.extract_feat
    forward = head.forward
    network = CapturedGraphs(
        lambda images: forward(extract(images)), batch_sizes, all_at_once=True
    )
    # The model passes images on, and the head runs all of the network.
    model.extract_feat = lambda images: (images,)
    head.forward = lambda feats: network(feats[-1])


def load_pose_model(model: Model) -> tuple[nn.Module, dict, Config]:
    """Build a top-down 2D model in evaluation mode and load its weights.

    Args:
        model (Model): Config and weights, see :func:`mmhot.weights.names.resolve`.

    Returns:
        tuple[nn.Module, dict, Config]: The model, the metadata of its keypoints, and
        the config.

    Raises:
        ValueError: If it is not a top-down model, or has no weights.
    """
    from mmpose.apis import init_model

    built, meta, config = _open(model, 'pose2d_weights', init_model, 'mmpose')
    if not isinstance(built, TopdownPoseEstimator):
        raise ValueError(
            f'{config.filename} must be a top-down 2D model (TopdownPoseEstimator), '
            f'got a {type(built).__name__}'
        )
    return built, meta if 'flip_indices' in meta else built.dataset_meta, config


def _open(
    model: Model, argument: str, init: Callable[..., nn.Module], scope: str
) -> tuple[nn.Module, dict, Config]:
    """Build a model, and load its weights.

    Returns the model, the metadata of the weights' dataset, and the config. Errors say
    that ``argument`` gives the weights.
    """
    if model.config is None:
        raise ValueError(
            f'{model.name} is an ONNX model: a config is expected, for PyTorch'
        )
    source = str(model.weights)
    if not source:
        raise ArgumentError(
            f'%s has no published weights: give a file as {{{argument}}}',
            model.config.stem,
        )
    config = read_config_file(model.config, scope=scope)
    # Warnings of missing weights are recorded instead of ignored, as MMDetection resets
    # filters.
    with (
        DefaultScope.overwrite_default_scope(scope),
        naming_failures(model.config),
        warnings.catch_warnings(record=True),
    ):
        built = init(config, device='cpu')
    try:
        path = find_shipped(source) or local_file(source)
    except ValueError as error:
        raise ArgumentError(f'%s, or give a file as {{{argument}}}', error) from error
    content = safe_load(path)
    load_strictly(built.eval(), source, content, allows_more=True)
    meta = content.get('meta')
    meta = meta if isinstance(meta, dict) else {}
    # Checkpoints of older versions have the classes alone, one level higher.
    return built, meta.get('dataset_meta') or {'classes': meta.get('CLASSES')}, config


def model_skeleton(meta: dict, model: str | Path) -> Skeleton:
    """Return the skeleton of a model's dataset, and register a new one.

    Args:
        meta (dict): Metadata of the dataset.
        model (str | Path): Name of the model in messages.

    Raises:
        ValueError: If the metadata does not state the keypoints.
    """
    if 'keypoint_id2name' in meta:
        return add_skeleton(configured_skeleton(meta))
    if not isinstance(meta.get('dataset_name'), str):
        raise ValueError(
            f'the weights of {model} do not state their keypoints: metadata with a '
            'dataset_name or keypoint_id2name is expected'
        )
    return get_skeleton(meta['dataset_name'])
