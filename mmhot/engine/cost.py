"""Parameters and multiply-adds of a model, with and without pruning."""

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import is_model_wrapper
from mmpose.models.pose_estimators import PoseLifter
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mmhot.weights.loading import build_model

# PyTorch's counter does not know operators that add a product in place. These
# functions count their operations, by operator.
SUMS_IN_PLACE = dict.fromkeys(
    (torch.ops.aten.addmm_, torch.ops.aten.baddbmm_),
    lambda added, one, other, **_: 2 * math.prod(one) * other[-1],
)


def compare_cost(
    config: Config,
    model: nn.Module,
    samples: Sequence[dict],
    measure: Callable[[nn.Module, nn.Module | None, tuple[int, ...]], dict]
    | None = None,
) -> dict | None:
    """Count a model's cost for one input with the settings of its test.

    For models that prune, the cost without pruning is counted, too. Only shapes are
    computed, so that it takes no time and draws no random numbers.

    Args:
        config (Config): Config of the model.
        model (nn.Module): The model, which may be wrapped.
        samples (Sequence[dict]): Dataset; the first sample has the shape of an input.
        measure (Callable, optional): Returns further entries, measured with a model,
            its host, None if it does not prune, and the shape of an input.

    Returns:
        dict | None: ``parameters`` and ``macs`` (multiply-adds); for models that prune
        also ``kept`` (frames or patches in each layer) and ``host_macs``, the
        multiply-adds without pruning; what ``measure`` returns. None if the model is
        neither a lifter nor a GTPT.
    """
    model = model.module if is_model_wrapper(model) else model
    prunes_patches = hasattr(getattr(model, 'head', None), 'keep_rates')
    if not prunes_patches and not isinstance(model, PoseLifter):
        return None
    shape = tuple(samples[0]['inputs'].shape)
    model = deepcopy(model).eval()
    cost: dict[str, Any] = {}
    settings = model.test_cfg or {}
    hourglass = getattr(model.backbone, 'hourglass', None)
    host = None  # the model without pruning
    if prunes_patches:
        model.head.keep_rates = settings.get('keep_rates', model.head.keep_rates)
        cost['kept'] = [*model.head.counts]
        host = deepcopy(model)
        host.head.keep_rates = None
    elif hourglass is not None and hourglass.pruners:
        counts = hourglass.keep_counts(settings.get('keep'), shape[0])
        for pruner, count in zip(hourglass.pruners, counts, strict=True):
            pruner.num_keep = count
        cost['kept'] = hourglass.lengths
        host_config = deepcopy(config.model)
        host_config.backbone.update(pruner=None, recoverer=None)
        host_config.test_cfg = None
        with torch.random.fork_rng(devices=[]):
            host = build_model(host_config, config.filename)
    if measure is not None:
        cost.update(measure(model, host and host.eval(), shape))
    cost['parameters'] = sum(parameter.numel() for parameter in model.parameters())
    cost['macs'] = _count_macs(model, shape)
    if host is not None:
        cost['host_macs'] = _count_macs(host, shape)
    return cost


def _count_macs(model: nn.Module, shape: tuple[int, ...]) -> int:
    """Count the multiply-adds of a pass of one input, by shapes alone."""
    inputs = torch.zeros(1, *shape, device='meta')
    counter = FlopCounterMode(display=False, custom_mapping=SUMS_IN_PLACE)
    # PyTorch does not count fused attention on a CPU, and its hooks need gradients.
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        model.to('meta').eval()(inputs, None, mode='tensor')
    return counter.get_total_flops() // 2


def describe_cost(cost: dict) -> str:
    """Describe the result of :func:`compare_cost` in one line."""
    text = (
        f'{cost["parameters"] / 1e6:.2f} M parameters, '
        f'{cost["macs"] / 1e9:.3f} G multiply-adds'
    )
    if 'kept' not in cost:
        return text
    share = cost['macs'] / cost['host_macs']
    kept = ' '.join(map(str, cost['kept']))
    return f'{text}, {share:.1%} of those without pruning; kept in each layer: {kept}'
