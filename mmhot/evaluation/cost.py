"""Cost of a forward pass: parameters and multiply-accumulate operations.

PyTorch's counter ignores fused attention on a CPU, so attention is computed in its
plain form while counting.
"""

import math
from collections import ChainMap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry, shape_wrapper

_PRODUCTS = ('bmm', 'baddbmm', 'baddbmm_')


def _product_flops(added: Any, one: Any, other: Any, **_: Any) -> int:
    """Operations of a sum in place with a product, from shapes."""
    return 2 * math.prod(one) * other[-1]


# What PyTorch leaves out.
_OTHERS = {
    torch.ops.aten.addmm_: shape_wrapper(_product_flops),
    torch.ops.aten.baddbmm_: shape_wrapper(_product_flops),
}
# PyTorch's registry also gets operators that are declared later.
_FORMULAS = ChainMap(_OTHERS, flop_registry)


@dataclass(frozen=True)
class Cost:
    """Cost of one forward pass.

    Attributes:
        parameters (int): Number of trained parameters.
        weight_macs (int): Multiply-accumulates of linear layers and convolutions.
        product_macs (int): Those of batched products: attention, graphs, and several
            linear layers at once.
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
    """Count the cost of one pass, in evaluation mode and without gradients.

    Sums, normalizations and activations are not counted, as usual.

    Args:
        model (nn.Module or Callable): The model, or one of its methods. Any other
            function has no parameters.
        *inputs: Arguments of the call; a batch of one gives the usual figures.
        **kwargs: Keyword arguments of the call.

    Returns:
        Cost: The cost; the model's mode is restored.
    """
    owner = model if isinstance(model, nn.Module) else getattr(model, '__self__', None)
    owner = owner if isinstance(owner, nn.Module) else nn.Module()
    counter, plain_attention = _Counter(), sdpa_kernel(SDPBackend.MATH)
    with _evaluation_mode(owner), torch.no_grad(), plain_attention, counter:
        model(*inputs, **kwargs)
    parameters = sum(parameter.numel() for parameter in owner.parameters())
    return Cost(parameters, counter.weight_flops // 2, counter.product_flops // 2)


class _Counter(TorchDispatchMode):
    """Counts operations by PyTorch's formulas.

    PyTorch's own counter also separates modules, which takes longer than the count and
    fails on slices of parameters.
    """

    def __init__(self) -> None:
        super().__init__()
        self.weight_flops = self.product_flops = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        formula = _FORMULAS.get(func.overloadpacket)
        if formula is not None:
            flops = formula(*args, **(kwargs or {}), out_val=output)
            if func.overloadpacket.__name__ in _PRODUCTS:
                self.product_flops += flops
            else:
                self.weight_flops += flops
        return output


@contextmanager
def _evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Set a model to evaluation mode; restore each module's mode afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
