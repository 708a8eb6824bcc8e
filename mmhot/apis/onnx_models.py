"""Models to export to ONNX: their graph, random inputs, and description in JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.transforms import Resize
from mmengine.config import Config
from torch import Tensor, nn

from mmhot.chain.lifting.lifter import Lifter
from mmhot.chain.lifting.torch_network import TorchNetwork
from mmhot.chain.pose2d.mmpose_models import (
    MMPoseDetector,
    load_pose_model,
    model_skeleton,
    read_affine,
)
from mmhot.deploy.onnx_graphs import DetectorGraph, LifterGraph, PoseGraph
from mmhot.errors import ArgumentError
from mmhot.geometry.crops import IMAGE_MEAN
from mmhot.models.gtpt.head import GTPTHead
from mmhot.skeletons.joints import Skeleton
from mmhot.structures.rows import whole_numbers
from mmhot.weights.config_files import read_config_file
from mmhot.weights.names import DETECTOR, LIFTER, POSE, config_of, resolve

Numbers = Sequence[float] | None
NUM_INPUTS = 8
"""Number of inputs on which ONNX Runtime and PyTorch are compared."""
# Shape of an input of detectors, which accept any multiples of 32
_DETECTOR_INPUT = 3, 288, 512


@dataclass
class Exportable:
    """A model that can be exported."""

    graph: nn.Module  # module of `mmhot.deploy.onnx_graphs`
    # Content of ``meta.json``, which the ONNX file repeats. `mmhot.chain.pose2d` and
    # `mmhot.chain.lifting.networks` know nothing else about the model.
    meta: Mapping[str, object]
    inputs: Tensor  # random inputs, (NUM_INPUTS, ...)


def open_exportable(
    model: str,
    checkpoint: str | None = None,
    keep: Numbers = None,
) -> Exportable:
    """Load a lifter, 2D model or detector by name, with its description and inputs.

    Args:
        model (str): Name of shipped weights, name or alias of a model, or a config.
        checkpoint (str, optional): Its weights. Defaults to the weights of that name.
        keep (Sequence[float], optional): Frames that each pruner of a lifter keeps, or
            keep rates of a GTPT. Defaults to the trained ones.

    Returns:
        Exportable: The model.

    Raises:
        ValueError: If an argument is wrong, or the model cannot be exported.
    """
    config = read_config_file(config_of(model)).get('model') or {}
    kind = str(config.get('type', '')).removeprefix('mmpose.')
    if kind in ('SequencePoseLifter', 'PoseLifter'):
        return _open_lifter(model, checkpoint, keep)
    if kind == 'TopdownPoseEstimator':
        return _open_pose_model(model, checkpoint, keep)
    if 'RTMDet' in str(config.get('bbox_head', {}).get('type')):
        return _open_detector(model, checkpoint, keep)
    raise ValueError(
        f'{model} cannot be exported ({kind or "its config has no model"}): only '
        'lifters, top-down 2D models and RTMDet can'
    )


def _open_lifter(model: str, checkpoint: str | None, keep: Numbers) -> Exportable:
    """Load a lifter; ``keep`` are frames of its pruners."""
    frames = None
    if keep is not None:
        frames = whole_numbers('keep of a lifter', np.asarray(keep)).tolist()
    network = TorchNetwork(resolve(model, LIFTER, checkpoint), 'cpu', frames)
    lifter = Lifter(network)
    channels = 3 if lifter.reads_scores else 2
    window = lifter.seq_len, network.skeleton.num_keypoints, channels
    meta = _describe_lifter(network, lifter, window)
    return Exportable(LifterGraph(network.model), meta, _random(*window))


def _describe_lifter(
    network: TorchNetwork, lifter: Lifter, window: Sequence[int]
) -> dict[str, object]:
    """Describe a lifter of windows of a shape (T, K, C), in plain values."""
    decoder = network.config.model.head.decoder.to_dict()
    skeleton = network.skeleton
    return dict(
        kind='lifter',
        name=network.title,
        input=dict(
            name=LifterGraph.input_name,
            shape=['batch', *window],
            encoding=_ENCODINGS[decoder['type']],
        ),
        outputs=dict(
            poses=dict(
                shape=['batch', lifter.num_targets, skeleton.num_keypoints, 3],
                decoding=_DECODINGS[decoder['type']],
            )
        ),
        **skeleton.describe(),
        codec=decoder,
        keep=network.model.test_cfg.get('keep'),
        lifting=dict(
            fps=lifter.fps,
            num_frames=lifter.seq_len,
            num_targets=lifter.num_targets,
            stride=lifter.stride,
            mapping=lifter.mapping,
            flip_test='average with the mirror image: negate x, swap flip_indices',
        ),
    )


_PIXELS = 'x = 2 * u / width - 1, y = 2 * v / width - height / width'
_ENCODINGS = {
    'CameraPoseLifting': _PIXELS,
    'ImageSpacePoseLifting': f'{_PIXELS}, and the score if the codec has with_scores',
    'PersonCenteredPoseLifting': 'see mmhot.codecs.pose_lifting: rays of the camera, '
    'centered on the person and divided by the size of the person in the window',
}
_DECODINGS = {
    'CameraPoseLifting': 'meters, relative to the root, which is set to 0',
    'ImageSpacePoseLifting': 'half image widths, relative to the root; times '
    'unit_size in meters',
    'PersonCenteredPoseLifting': 'see mmhot.codecs.pose_lifting: meters, relative to '
    'the root, turned towards the person',
}


def _open_pose_model(model: str, checkpoint: str | None, keep: Numbers) -> Exportable:
    """Load a top-down 2D model; ``keep`` are keep rates of a GTPT."""
    plain, dataset, config = load_pose_model(resolve(model, POSE, checkpoint))
    _check_keep(keep, isinstance(plain.head, GTPTHead), model)
    if keep is not None:
        plain.head.keep_rates = list(keep)
    skeleton = model_skeleton(dataset, model)
    crop = _crop_settings(config, model)
    colors = _check_colors(plain.data_preprocessor, 'RGB', model)
    graph = PoseGraph(plain)
    meta = _describe_pose_model(graph, config, skeleton, crop, colors)
    width, height = crop['size']
    return Exportable(graph, meta, _random(3, height, width))


def _describe_pose_model(
    graph: PoseGraph,
    config: Config,
    skeleton: Skeleton,
    crop: dict[str, Any],
    colors: dict[str, object],
) -> dict[str, object]:
    """Describe a top-down model in plain values."""
    width, height = crop['size']
    test = graph.model.test_cfg
    keep_rates = None
    flip_test = False
    decoding = 'as the head returns them'
    if isinstance(graph.model.head, GTPTHead):
        keep_rates = graph.model.head.keep_rates
        # Only models that return probabilities have a flip test; it averages logits.
        flip_test = test.get('flip_test', False)
        decoding = 'probabilities of bins, divided by the largest of a label'
    return dict(
        kind='pose2d',
        name=Path(config.filename).stem,
        input=dict(
            name=PoseGraph.input_name, shape=['batch', 3, height, width], **colors
        ),
        crop=crop,
        outputs=dict.fromkeys(graph.output_names, decoding),
        **skeleton.describe(),
        codec=config.model.head.decoder.to_dict(),
        keep_rates=keep_rates,
        score_curve=test.get('score_curve'),
        flip_test=flip_test,
    )


def _crop_settings(config: Config, model: str) -> dict[str, Any]:
    """Read the padding and size of crops from the pipeline of a 2D model."""
    affine = read_affine(config.test_dataloader.dataset.pipeline)
    if affine is None:
        raise ValueError(
            f'{model}: its test pipeline must be LoadImage, GetBBoxCenterScale, '
            'TopdownAffine without use_udp, and PackPoseInputs'
        )
    return dict(
        padding=affine[1],
        size=[*affine[0]],
        warp='box with this padding, its narrower side widened; bilinear, black border',
    )


def _open_detector(model: str, checkpoint: str | None, keep: Numbers) -> Exportable:
    """Load an RTMDet detector, which does not prune."""
    _check_keep(keep, False, model)
    detector = MMPoseDetector(resolve(model, DETECTOR, checkpoint))
    plain = detector.model.to(memory_format=torch.contiguous_format).eval()
    steps = detector.pipeline.transforms
    resize = next(step for step in steps if isinstance(step, Resize))
    meta = dict(
        kind='detector',
        name=detector.name,
        input=dict(
            name=DetectorGraph.input_name,
            shape=['batch', 3, '32 * rows', '32 * columns'],
            **_check_colors(plain.data_preprocessor, 'BGR', model),
        ),
        resize=dict(
            longer_side=max(resize.scale),
            interpolation=resize.interpolation,
            padding='114, at the right and bottom, to multiples of 32',
        ),
        outputs=dict(
            dets='x1, y1, x2, y2 in pixels of the input, and the score, after '
            'non-maximum suppression; score 0 where there are fewer',
            labels='0: person',
        ),
    )
    graph = DetectorGraph(plain, detector.labels)
    return Exportable(graph, meta, _random(*_DETECTOR_INPUT))


def _check_keep(keep: Numbers, prunes: bool, model: str) -> None:
    """Raise ArgumentError if ``keep`` is given for a model that does not prune."""
    if keep is not None and not prunes:
        raise ArgumentError('{keep} needs a model that prunes, and %s does not', model)


def _check_colors(preprocessor: nn.Module, order: str, model: str) -> dict[str, object]:
    """Return color order, mean and deviation; refuse any but ImageNet's mean."""
    mean = [round(float(x), 3) for x in preprocessor.mean.flatten()]
    std = [round(float(x), 3) for x in preprocessor.std.flatten()]
    swaps = preprocessor._channel_conversion
    expected = IMAGE_MEAN[:: 1 if order == 'RGB' else -1]
    if mean != list(expected) or swaps != (order == 'RGB'):
        raise ValueError(
            f"{model}: its preprocessor must use ImageNet's mean in the order {order}, "
            f'{list(expected)}, got {mean}'
        )
    return dict(color=order, mean=mean, std=std)


def _random(*shape: int) -> Tensor:
    """Return the same random inputs of a shape in each process, (NUM_INPUTS, ...)."""
    return torch.randn(NUM_INPUTS, *shape, generator=torch.Generator().manual_seed(0))
