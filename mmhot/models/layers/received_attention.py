"""How much attention each token gets."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .attention import Attention


@torch.no_grad()
def received_attention(attention: Attention, x: Tensor) -> Tensor:
    """Mean over heads and queries of the weights that tokens get from each other.

    Args:
        attention (Attention): The attention.
        x (Tensor): Its input, (..., N, C).

    Returns:
        Tensor: Attention received, which sums to one, (..., N), without gradients.
    """
    qkv, wanted = attention.qkv, 2 * x.shape[-1]
    bias = None if qkv.bias is None else qkv.bias[:wanted]
    both = F.linear(x, qkv.weight[:wanted], bias)
    q, k = both.unflatten(-1, (2, attention.num_heads, -1)).unbind(-3)
    scale = q.shape[-1] ** -0.5 if attention.scale is None else attention.scale
    q, k = q.transpose(-3, -2), k.transpose(-3, -2)  # (..., H, N, D)
    weights = (q * scale @ k.transpose(-2, -1)).softmax(-1)
    return weights.mean((-3, -2))
