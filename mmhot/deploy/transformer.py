"""Linear layers, attention and MLPs of transformers, for inference and training."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import register_flop_formula

from mmhot.models.layers.attention import DotProductAttention
from mmhot.models.layers.blocks import MLP, being_traced

# Numbers of queries for which products are faster than the fused kernel on a CPU: in
# inference, and in training, as the kernel's gradient computes the logits again.
_PRODUCT_LENGTHS = range(16, 65)
_TRAINED_LENGTHS = range(64)
# Softmax is slow over rows of at most so many numbers, which it takes one by one, and
# fast over columns, which it takes side by side.
_SHORT_ROWS = 20


def product_attention(
    q: Tensor, k: Tensor, v: Tensor, scale: float | None = None
) -> Tensor:
    """Compute scaled dot-product attention within (B, H, N, D) by matrix products."""
    q = q * (q.shape[-1] ** -0.5 if scale is None else scale)
    if k.shape[-2] > _SHORT_ROWS:
        return (q @ k.mT).softmax(-1) @ v
    return (k @ q.mT).softmax(-2).mT @ v


class ProductAttention(nn.Module):
    """Dot-product attention that avoids the fused kernel where products are faster.

    Args:
        attention (DotProductAttention): The module to replace.
    """

    def __init__(self, attention: DotProductAttention) -> None:
        super().__init__()
        self.scale = attention.scale

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend within ``(B, H, N, D)``."""
        is_long = q.shape[-2] not in _PRODUCT_LENGTHS
        if is_long or q.device.type != 'cpu' or torch.is_grad_enabled():
            return F.scaled_dot_product_attention(q, k, v, scale=self.scale)
        return product_attention(q, k, v, self.scale)


class TrainedAttention(DotProductAttention):
    """Dot-product attention whose gradient is faster on a CPU.

    Args:
        attention (DotProductAttention): The module to replace.
    """

    def __init__(self, attention: DotProductAttention) -> None:
        super().__init__(attention.scale)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend within ``(B, H, N, D)``."""
        if not q.requires_grad or q.device.type != 'cpu':
            return super().forward(q, k, v)
        if q.shape[-2] in _TRAINED_LENGTHS:
            return product_attention(q, k, v, self.scale)
        # in half precision the kernel's gradient is three to seven times as slow
        with torch.autocast('cpu', enabled=False):
            return super().forward(q.float(), k.float(), v.float()).to(q.dtype)


class UniformDropout(nn.Dropout):
    """Dropout that draws its mask as uniform numbers on a CPU, which is faster.

    Args:
        dropout (nn.Dropout): The module to replace.
    """

    def __init__(self, dropout: nn.Dropout) -> None:
        super().__init__(dropout.p)

    def forward(self, x: Tensor) -> Tensor:
        """Drop elements of any shape while training."""
        if not self.training or not 0 < self.p < 1 or x.device.type != 'cpu':
            return super().forward(x)
        kept = torch.rand(x.shape) >= self.p
        return x * kept.to(x.dtype).div_(1 - self.p)


class InplaceGELU(nn.Module):
    """GELU that overwrites its input, unless there are gradients."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply GELU."""
        return inplace_gelu(x)


def inplace_gelu(x: Tensor) -> Tensor:
    """Apply GELU, in place unless there are gradients."""
    return F.gelu(x) if torch.is_grad_enabled() else torch.ops.aten.gelu_(x)


def use_inplace_gelu(mlp: MLP) -> MLP:
    """Let an MLP overwrite what its first layer returns."""
    mlp.act = InplaceGELU()
    return mlp


# PyTorch's own compiler uses oneDNN through this operator. With many rows or products
# that is up to a fifth faster than what nn.Linear calls on an Intel Xeon, and twice as
# fast on an AMD EPYC, and to the same digits; a call costs 10 microseconds more.
_OPERATOR = getattr(torch.ops.mkldnn, '_linear_pointwise', None)
_MANY_ROWS, _MANY_PRODUCTS = 512, 4_000_000

# It wants weights in an order of its own and brings them there in every call, unless
# they are already. With a thousand rows that is a twentieth of the time, with several
# thousands nothing.
_REORDER = getattr(torch.ops.mkldnn, '_reorder_linear_weight', None)
_REORDER_FOR_ROWS = 1024
_TOO_MANY_TO_REORDER = 4096

if _OPERATOR is not None:

    @register_flop_formula(_OPERATOR)
    def _count_flops(x: tuple, weight: tuple, *args: object, out_shape: tuple) -> int:
        """Count operations, two for each multiply-accumulate."""
        return 2 * math.prod(out_shape) * weight[-1]


def fused_linear(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, relu: bool = False
) -> Tensor:
    """Apply a linear layer and, if requested, ReLU, (..., C').

    Args:
        x (Tensor): Input, (..., C).
        weight (Tensor): Weights, (C', C).
        bias (Tensor, optional): Biases, (C', ). Defaults to None.
        relu (bool): Whether ReLU follows. Defaults to False.
    """
    if _has_operator(x, weight):
        return _OPERATOR(x, weight, bias, 'relu' if relu else 'none', [], '')
    x = F.linear(x, weight, bias)
    return F.relu(x, inplace=True) if relu else x


def _has_operator(x: Tensor, weight: Tensor) -> bool:
    """Whether there is a oneDNN operator for this input, here and now."""
    is_large = x.numel() >= _MANY_ROWS * x.shape[-1]
    is_large = is_large or x.numel() * len(weight) >= _MANY_PRODUCTS
    fits = is_large and x.device.type == 'cpu' and x.dtype == torch.float32
    special = (
        torch.is_grad_enabled() or torch.is_autocast_enabled('cpu') or being_traced()
    )
    has_onednn = None not in (_OPERATOR, _REORDER) and torch.backends.mkldnn.enabled
    return fits and not special and has_onednn and torch.backends.mkldnn.is_available()


class FusedLinear(nn.Module):
    """A linear layer with its final weights, for inference.

    Where that saves time it keeps a copy of them in oneDNN's order, made at first use
    and after other weights have been loaded.

    Args:
        linear (nn.Linear): The layer whose weights it takes.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias
        self._reordered: tuple[int, Tensor] | None = None  # version, and weight

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., C)`` to ``(..., C')``."""
        if not _has_operator(x, self.weight):
            return F.linear(x, self.weight, self.bias)
        many = x.numel() >= _TOO_MANY_TO_REORDER * x.shape[-1]
        weight = self.weight if many else self._in_order()
        return _OPERATOR(x, weight, self.bias, 'none', [], '')

    def _in_order(self) -> Tensor:
        """Return the weights, in oneDNN's order if that can be kept."""
        weight = self.weight
        if weight.is_inference():  # tensors of inference mode have no version
            return weight
        if self._reordered is None or self._reordered[0] != weight._version:
            self._reordered = weight._version, _REORDER(weight, _REORDER_FOR_ROWS)
        return self._reordered[1]

    def __getstate__(self) -> dict:
        """Leave out the copy in oneDNN's order, which cannot be copied."""
        return {**self.__dict__, '_reordered': None}
