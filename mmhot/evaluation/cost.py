"""Cost of a forward pass: parameters and multiply-accumulate operations."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.config import Config
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

_PRODUCTS = ('bmm', 'baddbmm', 'baddbmm_')


@dataclass(frozen=True)
class Cost:
    """Parameters of a model, and multiply-accumulates (MACs) of one forward pass."""

    parameters: int
    weight_macs: int  # of linear layers and convolutions
    # of batched products: attention, graphs, and several linear layers at once
    product_macs: int

    @property
    def macs(self) -> int:
        """All multiply-accumulates."""
        return self.weight_macs + self.product_macs


class _ChildCounter(FlopCounterMode):
    """Counts an operation once for the model's direct child in which it runs.

    Estimators call methods of a child, which run no hooks; its parts call each other.
    """

    def _count_flops(self, *operation: Any) -> Any:
        parents = self.mod_tracker.parents
        children = {'.'.join(name.split('.')[:2]) for name in parents} - parents
        parents |= children
        try:
            return super()._count_flops(*operation)
        finally:
            parents -= children


def count_cost(
    model: nn.Module | Callable[..., Any], *inputs: Any, **kwargs: Any
) -> Cost:
    """Count the cost of one pass; see :func:`count_parts`."""
    return count_parts(model, *inputs, **kwargs)['']


def count_parts(
    model: nn.Module | Callable[..., Any], *inputs: Any, **kwargs: Any
) -> dict[str, Cost]:
    """Count the cost of one pass of a model and of its direct children, by name.

    Sums, normalizations and activations are not counted, as usual. The model is left in
    evaluation mode. '' is the whole model.

    Args:
        model (nn.Module or Callable): The model, or one of its methods. Any other
            function has no parameters.
        *inputs: Arguments of the call; a batch of one gives the usual figures.
        **kwargs: Keyword arguments of the call.
    """
    owner = model if isinstance(model, nn.Module) else getattr(model, '__self__', None)
    owner = owner if isinstance(owner, nn.Module) else nn.Module()
    counter = _ChildCounter(display=False, custom_mapping=_SUMS_IN_PLACE)
    owner.eval()
    # PyTorch ignores fused attention on a CPU; its hooks fail without gradients
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        model(*inputs, **kwargs)
    counts, root = counter.get_flop_counts(), type(owner).__name__
    costs = {'': _cost(owner, counts.get('Global', {}))}
    for name, child in owner.named_children():
        cost = _cost(child, counts.get(f'{root}.{name}', {}))
        if cost.parameters or cost.macs:
            costs[name] = cost
    return costs


def _cost(module: nn.Module, counts: dict[Any, int]) -> Cost:
    parameters = sum(parameter.numel() for parameter in module.parameters())
    products = sum(counts[op] for op in counts if op.__name__ in _PRODUCTS)
    return Cost(parameters, (sum(counts.values()) - products) // 2, products // 2)


# sums in place with a product, of which PyTorch has no counts
_SUMS_IN_PLACE = dict.fromkeys(
    (torch.ops.aten.addmm_, torch.ops.aten.baddbmm_),
    lambda added, one, other, **_: 2 * math.prod(one) * other[-1],
)


def input_shape(config: Config, model: nn.Module) -> tuple[int, ...] | None:
    """Return the shape of one input of a config and its model, None if it is not known.

    It is that of an image (3, H, W), or of poses, without the batch.
    """
    decoder = config.model.get('head', {}).get('decoder') or {}
    size = decoder.get('input_size') or config.get('test_size')
    if size:
        width, height = size
        return 3, height, width
    backbone = config.model.backbone
    dataset = config.get('train_dataloader', {}).get('dataset', {})
    if backbone.type == 'TCN':  # whole poses, channels first
        return backbone.in_channels, dataset.get('seq_len', 1)
    if backbone.type == 'FlattenedPoseBackbone':
        return dataset.get('seq_len', 1), model.head.num_keypoints, 2
    backbone = model.backbone
    if hasattr(backbone, 'temp_embed') and hasattr(backbone, 'spat_embed'):
        # MMPose's DSTFormer stores its sizes in its embeddings only
        sizes = backbone.temp_embed.shape[1], backbone.spat_embed.shape[1]
        return *sizes, backbone.in_channels
    names = ('num_frames', 'num_keypoints', 'in_channels')
    if all(hasattr(backbone, name) for name in names):
        return tuple(getattr(backbone, name) for name in names)
    return None
