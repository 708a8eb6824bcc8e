"""Detectors of MMDetection and top-down 2D models of MMPose, ours among them."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import DefaultScope
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

import mmhot.plugin  # noqa: F401 registers what our configs name
from mmhot.compat import safe_load
from mmhot.skeletons.joints import get_skeleton
from mmhot.video.sources.model_digests import fingerprint, identify
from mmhot.video.sources.model_names import NamedModel, find_detector, find_pose_model
from mmhot.video.sources.quarter_turns import QuarterTurns
from mmhot.weights.config_files import read_config_file
from mmhot.weights.loading import (
    find_state,
    naming_failures,
    refuse_broken,
    refuse_other_shapes,
)

_PERSON = 'person'
_OTHER_DETECTOR = (
    '--det-weights, or another --det-model: scan, which comes with mmhot, an .onnx '
    'file, or whole_image'
)


class MMPoseDetector:
    """A detector of MMDetection, or one of ours.

    Args:
        model (str | Path): Config file, or name or alias in our or MMDetection's index,
            or 'human' for what MMPose's inferencer takes.
        weights (str | Path, optional): Checkpoint; by default that of the index.
        device (str): PyTorch device. Defaults to 'cpu'.
        min_score (float): Boxes below are left out. Defaults to 0.3.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If the model is unknown, or weights and model do not fit.
    """

    def __init__(
        self,
        model: str | Path,
        weights: str | Path | None = None,
        device: str = 'cpu',
        min_score: float = 0.3,
    ) -> None:
        named = find_detector(str(model))
        weights = _weights_of(named, weights, model, '--det-weights')
        from mmdet.apis import init_detector

        config = read_config_file(named.config)
        with DefaultScope.overwrite_default_scope('mmdet'):
            with _building(named.config):
                self._model = init_detector(config, device='cpu')
            meta = _load(self._model, weights, _OTHER_DETECTOR)
            pipeline = [*config.test_dataloader.dataset.pipeline]
            pipeline[0] = dict(type='mmdet.LoadImageFromNDArray')
            content = fingerprint(self._model, config.model, pipeline)
            self._pipeline = Compose(pipeline)
        classes = meta.get('classes') or meta.get('CLASSES') or (_PERSON,)
        classes = [classes] if isinstance(classes, str) else list(classes)
        if _PERSON not in classes:
            raise ValueError(f'{weights} detects {", ".join(classes)}, not people')
        self._label = classes.index(_PERSON)
        # a tenth less time on a CPU; batch normalizations stay, since heads may share a
        # convolution among several
        self._model.to(device, memory_format=torch.channels_last)
        self.min_score = min_score
        self.name = named.config.stem
        self.identity = identify(self.name, content, min_score=min_score)

    @torch.no_grad()
    def __call__(self, images: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Boxes (P, 4), xyxy pixels, and scores (P,) of each BGR image."""
        if not images:
            return []
        with DefaultScope.overwrite_default_scope('mmdet'):
            samples = [
                self._pipeline(dict(img=image, img_id=index))
                for index, image in enumerate(images)
            ]
            # layers of MMDetection use what PyTorch calls outdated
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')
                results = self._model.test_step(pseudo_collate(samples))
        return [
            self._people(result.pred_instances, image.shape)
            for image, result in zip(images, results, strict=True)
        ]

    def _people(
        self, found: Any, shape: tuple[int, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        wanted = (found.labels == self._label) & (found.scores >= self.min_score)
        boxes = found.bboxes[wanted].cpu().numpy().reshape(-1, 2, 2)
        boxes = boxes.clip(0, shape[1::-1]).reshape(-1, 4)
        scores = found.scores[wanted].cpu().numpy()
        return boxes.astype(np.float32), scores.astype(np.float32)


class MMPoseEstimator:
    """A top-down 2D model of MMPose, or one of ours.

    Args:
        model (str | Path): Config file, or name or alias in our or MMPose's index.
        weights (str | Path, optional): Checkpoint; by default that of the index.
        device (str): PyTorch device. Defaults to 'cpu'.
        batch_size (int): People at once, from as many images as it takes. Defaults
            to 32.
        turns (QuarterTurns, optional): How people of whom the model is unsure are
            looked at again, turned; None for never. Only models whose scores are
            confidences (``score_curve``) do. Defaults to ``QuarterTurns()``.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If the model is unknown, is not top-down or has keypoints that
            mmhot does not know, or if weights and model do not fit.
    """

    def __init__(
        self,
        model: str | Path,
        weights: str | Path | None = None,
        device: str = 'cpu',
        batch_size: int = 32,
        turns: QuarterTurns | None = QuarterTurns(),  # noqa: B008 (frozen)
    ) -> None:
        if batch_size < 1:
            raise ValueError(f'batch_size must be at least 1, got {batch_size}')
        named = find_pose_model(str(model))
        weights = _weights_of(named, weights, model, '--pose2d-weights')
        from mmpose.apis import init_model
        from mmpose.models.pose_estimators import TopdownPoseEstimator

        from mmhot.deploy.switch import switch_to_deploy
        from mmhot.models.gtpt.head import GTPTHead

        config = read_config_file(named.config)
        with DefaultScope.overwrite_default_scope('mmpose'):
            with _building(named.config):
                self._model = init_model(config, device='cpu')
            if not isinstance(self._model, TopdownPoseEstimator):
                raise ValueError(
                    f'{model} is no top-down 2D model, but a '
                    f'{type(self._model).__name__}'
                )
            meta = _load(self._model, weights, '--pose2d-weights')
            self._meta = meta if 'flip_indices' in meta else self._model.dataset_meta
            pipeline = config.test_dataloader.dataset.pipeline
            content = fingerprint(self._model, config.model, pipeline)
            self._pipeline = Compose(pipeline)
        self._model.to(device)
        if isinstance(self._model.head, GTPTHead):
            # others may have batch normalizations that do not belong to what is before
            switch_to_deploy(self._model)
        self.has_curve = bool(self._model.test_cfg.get('score_curve'))
        self.batch_size = batch_size
        self.name = named.config.stem
        self.skeleton, self.num_keypoints = _skeleton(self._meta, model)
        self.turns = turns if self.has_curve else None
        options = {} if self.turns is None else {'turns': asdict(self.turns)}
        self.identity = identify(self.name, content, **options)

    def __call__(
        self, images: list[np.ndarray], boxes: list[np.ndarray]
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Keypoints (P, K, 2) and scores (P, K) for the boxes (P, 4) of each image."""
        if self.turns is None:
            return self._estimate(images, boxes)
        return self.turns(self._estimate, images, boxes)

    @torch.no_grad()
    def _estimate(
        self, images: list[np.ndarray], boxes: list[np.ndarray]
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Look once at each person, upright."""
        wanted = [
            (image, box)
            for image, of_image in zip(images, boxes, strict=True)
            for box in of_image
        ]
        keypoints = np.empty((len(wanted), self.num_keypoints, 2), np.float32)
        scores = np.empty(keypoints.shape[:2], np.float32)
        for start in range(0, len(wanted), self.batch_size):
            part = slice(start, start + self.batch_size)
            keypoints[part], scores[part] = self._run(wanted[part])
        ends = np.cumsum([len(of_image) for of_image in boxes])[:-1]
        return list(zip(np.split(keypoints, ends), np.split(scores, ends), strict=True))

    def glance(
        self, images: list[np.ndarray], boxes: list[np.ndarray]
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Keypoints and scores without flip test and turns, in half the time."""
        test_cfg = self._model.test_cfg
        before = test_cfg.get('flip_test', False)
        test_cfg['flip_test'] = False
        try:
            return self._estimate(images, boxes)
        finally:
            test_cfg['flip_test'] = before

    def _run(
        self, people: list[tuple[np.ndarray, np.ndarray]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """One forward; keypoints (B, K, 2) in pixels of their images, scores (B, K)."""
        with DefaultScope.overwrite_default_scope('mmpose'):
            samples = [
                self._pipeline(
                    dict(
                        img=image,
                        bbox=np.asarray(box, np.float32)[None],
                        bbox_score=np.ones(1, np.float32),
                        **self._meta,
                    )
                )
                for image, box in people
            ]
            results = self._model.test_step(pseudo_collate(samples))
        found = [result.pred_instances for result in results]
        keypoints = np.concatenate([person.keypoints for person in found])
        scores = np.concatenate([person.keypoint_scores for person in found])
        return keypoints[..., :2], scores


def _weights_of(
    named: NamedModel, weights: str | Path | None, model: str | Path, option: str
) -> str:
    chosen = str(weights or named.weights)
    if not chosen:
        raise ValueError(f'{model} has no published weights: give some with {option}')
    return chosen


@contextmanager
def _building(config: Path) -> Iterator[None]:
    """Have no weights for the time being, and hear nothing about that."""
    # recorded, and so not shown: MMDetection sets filters of its own
    with naming_failures(config), warnings.catch_warnings(record=True):
        yield


def _load(model: nn.Module, weights: str, option: str) -> dict:
    """Load weights and return what their file says about the data they are for."""
    content = _read(weights, option)
    state = find_state(model, weights, content)
    refuse_other_shapes(model, weights, state)
    refuse_broken(weights, state)
    try:
        missing, _ = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise ValueError(
            f'{weights} is a checkpoint of another model: {reason}'
        ) from error
    if missing:
        raise ValueError(
            f'{weights} is a checkpoint of another model: {missing[0]} is missing'
        )
    model.eval()
    meta = content.get('meta')
    meta = meta if isinstance(meta, dict) else {}
    # files of older versions hold a part of it, one level higher
    return meta.get('dataset_meta') or {
        key: meta[key] for key in meta if key == 'CLASSES'
    }


def _read(weights: str, option: str) -> Any:
    """Read a checkpoint from a file, or from where it is published."""
    if '://' not in weights:
        return safe_load(weights)
    try:
        return CheckpointLoader.load_checkpoint(
            weights, map_location='cpu', logger='silent'
        )
    except (OSError, RuntimeError, ValueError) as error:
        reason = ' '.join(str(error).split())
        raise ValueError(
            f'{weights} cannot be had ({reason:.80}): give a file with {option}'
        ) from error


def _skeleton(meta: dict, model: str | Path) -> tuple[str, int]:
    """Name of the skeleton of MMPose's description, and its number of keypoints."""
    dataset, count = meta.get('dataset_name'), meta.get('num_keypoints')
    try:
        skeleton = get_skeleton(dataset)
    except (TypeError, ValueError):
        skeleton = None
    if skeleton is None or skeleton.num_keypoints != count:
        raise ValueError(
            f'{model} has {count} keypoints of {dataset!r}, which is no skeleton of a '
            'whole body that mmhot knows'
        )
    return skeleton.name, count
