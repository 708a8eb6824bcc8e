"""Count parameters and multiply-adds of a model by part.

Multiply-adds are per input, and include the products of attention and graphs. Times are
measured by ``python -m tools.benchmark models``. Examples::

    python -m tools.analysis.cost nanohtnet
    python -m tools.analysis.cost CONFIG --cfg-options model.head.keypoint_layer=0
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.config import Config
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import mmhot.plugin  # noqa: F401 registers, also for configs of MMPose
from mmhot.cli.errors import print_text, run_tool
from mmhot.engine.cost import SUMS_IN_PLACE, compare_cost
from mmhot.errors import align
from mmhot.weights.config_files import read_config_file
from mmhot.weights.loading import build_model
from mmhot.weights.names import config_of
from tools.benchmark.timing import time_models
from tools.runner import add_config_options, merge_options, setting

_COLUMNS = ('part', 'parameters', 'multiply-adds', 'share', 'products')
# Operators of PyTorch that multiply batches of matrices, which are no weights.
_PRODUCTS = ('bmm', 'baddbmm', 'baddbmm_')


@dataclass(frozen=True)
class Cost:
    """Parameters of a model, and multiply-accumulates (MACs) of one forward pass."""

    parameters: int
    weight_macs: int  # MACs of linear layers and convolutions
    # MACs of batched products: attention, graphs, and several linear layers at once
    product_macs: int

    @property
    def macs(self) -> int:
        """All multiply-accumulates."""
        return self.weight_macs + self.product_macs


class _ChildCounter(FlopCounterMode):
    """Counter that counts an operation once for the child of the model that runs it.

    PyTorch's counter finds children by hooks. Estimators call methods of a child, which
    run none, and parts of a child call each other.
    """

    def _count_flops(self, *operation: Any) -> Any:
        parents = self.mod_tracker.parents
        children = {'.'.join(name.split('.')[:2]) for name in parents} - parents
        parents |= children
        try:
            return super()._count_flops(*operation)
        finally:
            parents -= children


def count_cost(model: nn.Module, *inputs: Any, **kwargs: Any) -> Cost:
    """Count the cost of one pass; see :func:`count_parts`."""
    return count_parts(model, *inputs, **kwargs)['']


def count_parts(model: nn.Module, *inputs: Any, **kwargs: Any) -> dict[str, Cost]:
    """Count the cost of one pass of a model and of its direct children, by name.

    Sums, normalizations and activations are not counted, as usual. The model is left in
    evaluation mode. '' is the whole model.

    Args:
        model (nn.Module): The model.
        *inputs: Arguments of the call; a batch of one gives the usual figures.
        **kwargs: Keyword arguments of the call.
    """
    counter = _ChildCounter(display=False, custom_mapping=SUMS_IN_PLACE)
    model.eval()
    # PyTorch does not count fused attention on a CPU, and its hooks need gradients.
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        model(*inputs, **kwargs)
    counts = counter.get_flop_counts()
    costs = {'': _cost(model, counts.get('Global', {}))}
    for name, child in model.named_children():
        cost = _cost(child, counts.get(f'{type(model).__name__}.{name}', {}))
        if cost.parameters or cost.macs:
            costs[name] = cost
    return costs


def _cost(module: nn.Module, counts: dict[Any, int]) -> Cost:
    """Return the cost of a module with these floating-point operations by operator."""
    parameters = sum(parameter.numel() for parameter in module.parameters())
    products = sum(counts[op] for op in counts if op.__name__ in _PRODUCTS)
    return Cost(parameters, (sum(counts.values()) - products) // 2, products // 2)


def input_shape(config: Config, model: nn.Module) -> tuple[int, ...]:
    """Return the shape of one input of a model, without the batch.

    Returns:
        tuple[int, ...]: (3, H, W) for an image, (T, K, C) for poses.

    Raises:
        ValueError: If the config and the model do not define it.
    """
    decoder = config.model.get('head', {}).get('decoder') or {}
    size = decoder.get('input_size') or config.get('test_size')
    if size:
        width, height = size
        return 3, height, width
    backbone = config.model.backbone
    dataset = config.get('train_dataloader', {}).get('dataset', {})
    if backbone.type == 'TCN':  # the channels are all coordinates of a pose
        return backbone.in_channels, dataset.get('seq_len', 1)
    if backbone.type == 'FlattenedPoseBackbone':
        return dataset.get('seq_len', 1), model.head.num_keypoints, 2
    backbone = model.backbone
    if hasattr(backbone, 'temp_embed') and hasattr(backbone, 'spat_embed'):
        # MMPose's DSTFormer has its sizes in its embeddings alone.
        sizes = backbone.temp_embed.shape[1], backbone.spat_embed.shape[1]
        return *sizes, backbone.in_channels
    names = ('num_frames', 'num_keypoints', 'in_channels')
    if all(hasattr(backbone, name) for name in names):
        return tuple(getattr(backbone, name) for name in names)
    raise ValueError(f'{config.filename} does not define the shape of an input')


def compare_time(
    config: Config, model: nn.Module, samples: Sequence[dict]
) -> dict | None:
    """Compare costs as :func:`compare_cost` does; add memory, and time beside the host.

    ``memory`` are the bytes that a pass of one input keeps for the backward pass.
    ``milliseconds`` and ``time``, see :func:`tools.benchmark.timing.time_models`, are
    of models that prune.
    """

    def measure(model: nn.Module, host: nn.Module | None, shape: tuple) -> dict:
        device = next(model.parameters()).device
        memory = dict(memory=kept_memory(model, torch.randn(1, *shape, device=device)))
        if host is None:
            return memory
        models = dict(host=host.to(device), model=model)
        return memory | time_models(models, shape, device)['model']

    return compare_cost(config, model, samples, measure)


def kept_memory(model: nn.Module, inputs: torch.Tensor) -> int:
    """Return the bytes that a pass of inputs (B, ...) keeps for the backward pass."""
    own = {parameter.data_ptr() for parameter in model.parameters()}
    kept = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.enable_grad(), saved_tensors_hooks(keep, lambda tensor: tensor):
        model(inputs, None, mode='tensor')
    return sum(kept[place] for place in kept.keys() - own)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        'config', help='config file, PACKAGE::CONFIG or name in `mmhot list`'
    )
    add_config_options(parser)


def main(args: argparse.Namespace) -> None:
    """Print a model's cost by part."""
    path = config_of(args.config)
    config = read_config_file(path)
    merge_options(config, args.cfg_options)
    torch.manual_seed(0)
    settings = setting(config, 'model', 'config')
    model = build_model(settings, path, config.get('default_scope', 'mmpose'))
    shape = input_shape(config, model)
    parts = count_parts(model, torch.randn(1, *shape), None, mode='tensor')
    total = parts.pop('')
    rows = [_COLUMNS]
    for name, cost in [*parts.items(), ('total', total)]:
        share = f'{cost.macs / max(total.macs, 1):.1%}'
        counts = f'{cost.parameters:,}', f'{cost.macs:,}', share
        rows.append((name, *counts, f'{cost.product_macs:,}'))
    print_text(f'{path}, input {tuple(shape)}\n{align(rows)}')


if __name__ == '__main__':
    run_tool(add_arguments, main)
