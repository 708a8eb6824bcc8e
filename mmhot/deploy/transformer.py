"""Attention and MLPs of transformers, for inference."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmhot.models.layers.attention import DotProductAttention
from mmhot.models.layers.blocks import MLP

# Numbers of tokens for which plain products are faster than the fused kernel, on a CPU.
_PRODUCT_LENGTHS = range(16, 65)
# Softmax is slow over rows of at most so many numbers, which it takes one by one, and
# fast over columns, which it takes side by side.
_SHORT_ROWS = 20


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
        q = q * (q.shape[-1] ** -0.5 if self.scale is None else self.scale)
        if k.shape[-2] > _SHORT_ROWS:
            return (q @ k.mT).softmax(-1) @ v
        return (k @ q.mT).softmax(-2).mT @ v


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
