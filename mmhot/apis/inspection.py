"""Costs of a model by part, and the patches of an image that a GTPT keeps."""

from collections.abc import Sequence
from timeit import Timer

import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import DefaultScope
from mmpose.models.pose_estimators import TopdownPoseEstimator
from torch import Tensor

import mmhot.plugin  # noqa: F401 registers, also for configs of MMPose
from mmhot.apis.options import CostOptions, PruningOptions
from mmhot.compat.installation import choose_device
from mmhot.errors import ArgumentError
from mmhot.evaluation.cost import count_parts, input_shape
from mmhot.models.gtpt.head import GTPTHead
from mmhot.pose2d.mmpose_models import load_pose_model
from mmhot.visualization.pruning import PruningStage, PruningTrace, draw_pruning
from mmhot.weights.config_files import read_config_file
from mmhot.weights.loading import build_model
from mmhot.weights.names import POSE, config_of, resolve


def measure_cost(model: str, **options: object) -> dict:
    """Count parameters and multiply-adds of a model by part, as ``mmhot cost``.

    Args:
        model (str): Name or alias of a model, or a config.
        **options (object): See :class:`mmhot.apis.options.CostOptions`.

    Returns:
        dict: Of JSON's types: the ``config``, shape of an ``input``, ``total`` and
        ``layers`` (the model's direct children), and the ``time`` of a batch.
    """
    chosen = CostOptions.of(**options)
    device = choose_device(chosen.device)
    path = config_of(model)
    config = read_config_file(path)
    if 'model' not in config:
        raise ValueError(f'{path}: this config has no model')
    torch.manual_seed(0)
    network = build_model(config.model, path, config.get('default_scope', 'mmpose'))
    network = network.to(device).eval()
    shape = chosen.shape or input_shape(config, network)
    if shape is None:
        raise ArgumentError(
            '%s does not define the shape of an input: add {shape}', path
        )
    inputs = torch.randn(chosen.batch, *shape, device=device)
    try:
        layers = count_parts(network, inputs[:1], None, mode='tensor')
    except (IndexError, RuntimeError, ValueError) as error:
        reason = ' '.join(str(error).split())
        raise ArgumentError(
            '%s: no pass with {shape} %s: %s', path, list(shape), reason
        ) from error
    names = ('parameters', 'macs', 'product_macs')
    costs = {
        part: {name: getattr(cost, name) for name in names}
        for part, cost in layers.items()
    }
    content = {'config': str(path), 'input': list(shape), 'total': costs.pop('')}
    content['layers'] = costs
    if not chosen.no_time:

        def run() -> None:
            network(inputs, None, mode='tensor')
            if device != 'cpu':
                torch.cuda.synchronize()

        with torch.inference_mode():
            run()  # the first pass prepares kernels
            number, seconds = Timer(run).autorange()
        threads = torch.get_num_threads()
        content['time'] = dict(
            seconds=seconds / number, batch=chosen.batch, device=device, threads=threads
        )
    return content


def show_pruning(
    image: np.ndarray,
    model: str = 'gtpt-t',
    checkpoint: str | None = None,
    **options: object,
) -> tuple[np.ndarray, PruningTrace]:
    """Draw the patches of an image that a GTPT keeps, as ``mmhot show-pruning``.

    Args:
        image (np.ndarray): BGR, (H, W, 3) uint8.
        model (str): Name or alias of a model, or a config. Defaults to 'gtpt-t'.
        checkpoint (str, optional): Its weights. Defaults to those of the named model.
        **options (object): See :class:`mmhot.apis.options.PruningOptions`.

    Returns:
        tuple[np.ndarray, PruningTrace]: Drawing, BGR uint8, and what it shows.
    """
    chosen = PruningOptions.of(**options)
    if not (checkpoint or resolve(model, POSE).weights):
        raise ValueError(f'{model} is a config without weights: name a checkpoint')
    network, meta, _ = load_pose_model(model, checkpoint)
    network.dataset_meta = meta
    network = network.to(choose_device(chosen.device))
    trace = trace_pruning(network, image, chosen.bbox, chosen.keep_rates)
    return draw_pruning(trace), trace


@torch.no_grad()
def trace_pruning(
    model: TopdownPoseEstimator,
    image: np.ndarray,
    bbox: Sequence[float] | None = None,
    keep_rates: Sequence[float] | None = None,
) -> PruningTrace:
    """Run a GTPT on one person and record the patches that each layer keeps.

    The model has ``cfg`` and ``dataset_meta``, as of MMPose's ``init_model``; the image
    is BGR, (H, W, 3) uint8. The box of the person is left, top, right, bottom, by
    default of the whole image.
    """
    head = model.head
    if not isinstance(head, GTPTHead):
        raise ArgumentError(
            '{model} must have a GTPTHead, got a %s', type(head).__name__
        )
    rows, columns = image.shape[:2]
    box = np.array([bbox or (0, 0, columns, rows)], np.float32)
    with DefaultScope.overwrite_default_scope('mmpose'):
        pipeline = Compose(model.cfg.test_dataloader.dataset.pipeline)
    sample = dict(img=image, bbox=box, bbox_score=np.ones(1, np.float32))
    packed = pipeline({**sample, **model.dataset_meta})
    crop = packed['inputs'].permute(1, 2, 0).numpy()
    batch = model.data_preprocessor(pseudo_collate([packed]), False)
    patches = head.embed(model.extract_feat(batch['inputs'])[-1])
    counts = head.count_tokens(keep_rates or head.keep_rates)
    tokens, kept = head.encode(patches, counts)
    probabilities = (x.softmax(-1).cpu().numpy() for x in head.classify(tokens))
    assert head.decoder is not None  # configs of models have one
    keypoints, _ = head.decoder.decode(*probabilities)
    sizes = zip(head.in_featuremap_size, head.patch_embed.patch_size, strict=True)
    across, down = (length // step for length, step in sizes)
    groups = (', '.join(names).replace('_', ' ') for names in head.groups.groups)
    return PruningTrace(
        crop=crop,
        grid=(across, down),
        stages=_stages(kept),
        groups=tuple(groups),
        keypoints=keypoints[0],
        group_of=head.groups.home_group.cpu().numpy(),
    )


def _stages(kept: Sequence[Tensor]) -> tuple[PruningStage, ...]:
    """Merge consecutive layers that keep the same patches of the first image."""
    stages: list[PruningStage] = []
    for layer, patches in enumerate(kept):
        patches, first = patches[0].cpu().numpy(), layer
        if stages and np.array_equal(stages[-1].kept, patches):
            first = stages.pop().first
        stages.append(PruningStage(first, layer, patches))
    return tuple(stages)
