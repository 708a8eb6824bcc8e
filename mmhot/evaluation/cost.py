"""What a forward pass costs: parameters and multiply-accumulate operations.

PyTorch's counter counts nothing for fused attention on a CPU, so attention is
computed in its plain form while counting.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mmhot.models.layers.fused_linear import FLOP_FORMULAS

_PRODUCTS = ('bmm', 'baddbmm', 'baddbmm_')


def _product_flops(added: Any, one: Any, other: Any, **_: Any) -> int:
    """Operations of a sum in place with a product, by shapes."""
    return 2 * math.prod(one) * other[-1]


# What PyTorch's counter leaves out.
_FORMULAS = {
    **FLOP_FORMULAS,
    torch.ops.aten.addmm_: _product_flops,
    torch.ops.aten.baddbmm_: _product_flops,
}


@dataclass(frozen=True)
class Cost:
    """Cost of one forward pass.

    Attributes:
        parameters (int): Numbers that are trained.
        weight_macs (int): Multiply-accumulates of linear layers and convolutions.
        product_macs (int): Those of batches of products: attention, graphs, and
            layers that compute several linear layers at once.
    """

    parameters: int
    weight_macs: int
    product_macs: int

    @property
    def macs(self) -> int:
        """All multiply-accumulates."""
        return self.weight_macs + self.product_macs


def count_cost(
    model: nn.Module | Callable[..., Any], *inputs: Any, **kwargs: Any
) -> Cost:
    """Run a model once, in evaluation mode and without gradients, and count.

    Sums, normalisations and activations are not counted, as nowhere else.

    Args:
        model (nn.Module or Callable): The model, or one of its methods. Any other
            function has no parameters.
        *inputs: What to call it with; a batch of one gives the usual figures.
        **kwargs: Likewise.

    Returns:
        Cost: The cost; the model is in the mode it was in.
    """
    owner = model if isinstance(model, nn.Module) else getattr(model, '__self__', None)
    owner = owner if isinstance(owner, nn.Module) else nn.Module()
    counter = FlopCounterMode(display=False, custom_mapping=_FORMULAS)
    plain_attention = sdpa_kernel(SDPBackend.MATH)
    with (
        evaluation_mode(owner),
        _frozen(owner),
        torch.no_grad(),
        plain_attention,
        counter,
    ):
        model(*inputs, **kwargs)
    weight_macs = product_macs = 0
    for operator, flops in counter.get_flop_counts().get('Global', {}).items():
        if operator.__name__.split('.')[0] in _PRODUCTS:
            product_macs += flops // 2
        else:
            weight_macs += flops // 2
    parameters = sum(parameter.numel() for parameter in owner.parameters())
    return Cost(parameters, weight_macs, product_macs)


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Set a model to evaluation; each module gets its own mode back afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextmanager
def _frozen(model: nn.Module) -> Iterator[None]:
    """Let no parameter want gradients: PyTorch's counter fails at slices of them."""
    trained = [each for each in model.parameters() if each.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
