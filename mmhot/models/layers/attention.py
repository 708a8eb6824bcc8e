"""Multi-head self-attention and cross-attention."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head self-attention over the second-last axis.

    Any axes may lead, so that the same module attends over keypoints,
    ``attention(x)``, and over frames, ``attention(x.transpose(1, 2))``.

    Args:
        embed_dims (int): Channels ``C``.
        num_heads (int): Heads ``H``; must divide ``embed_dims``.
        qkv_bias (bool): Whether queries, keys and values have a bias.
        proj_drop (float): Dropout rate of the output.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int = 8,
        qkv_bias: bool = True,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__()
        check_heads(embed_dims, num_heads)
        self.num_heads = num_heads
        self.qkv = nn.Linear(embed_dims, 3 * embed_dims, bias=qkv_bias)
        self.proj = nn.Linear(embed_dims, embed_dims)
        self.proj_drop = nn.Dropout(proj_drop)

    def forward(self, x: Tensor) -> Tensor:
        """Attend within ``(..., N, C)``; the shape is kept."""
        lead = x.shape[:-2]
        x = x.reshape(-1, *x.shape[-2:]).contiguous()  # fused kernels want 4-D
        q, k, v = (  # (B', H, N, D)
            part.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for part in self.qkv(x).chunk(3, dim=-1)
        )
        x = F.scaled_dot_product_attention(q, k, v)
        x = x.transpose(1, 2).flatten(2)
        return self.proj_drop(self.proj(x)).reshape(*lead, *x.shape[-2:])


class CrossAttention(nn.Module):
    """Multi-head attention of queries to other tokens, over the second-last axis.

    Args:
        embed_dims (int): Channels ``C``.
        num_heads (int): Heads ``H``; must divide ``embed_dims``.
        qkv_bias (bool): Whether queries, keys and values have a bias.
    """

    def __init__(
        self, embed_dims: int, num_heads: int = 8, qkv_bias: bool = True
    ) -> None:
        super().__init__()
        check_heads(embed_dims, num_heads)
        self.num_heads = num_heads
        self.query = nn.Linear(embed_dims, embed_dims, bias=qkv_bias)
        self.key = nn.Linear(embed_dims, embed_dims, bias=qkv_bias)
        self.value = nn.Linear(embed_dims, embed_dims, bias=qkv_bias)
        self.proj = nn.Linear(embed_dims, embed_dims)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attend with queries (..., N, C) to keys and values (..., M, C).

        Queries of shape (N, C) are used for all leading axes, and projected once.
        """
        lead = key.shape[:-2]
        q = self._split(self.query(query))
        k = self._split(self.key(key))
        v = self._split(self.value(value))
        q = q.expand(k.shape[0], -1, -1, -1)
        x = F.scaled_dot_product_attention(q, k, v)  # (B', H, N, D)
        x = self.proj(x.transpose(1, 2).flatten(2))
        return x.reshape(*lead, *x.shape[-2:])

    def _split(self, x: Tensor) -> Tensor:
        """Split ``(..., N, C)`` into heads, (B', H, N, D)."""
        x = x.reshape(-1, *x.shape[-2:])  # fused kernels want 4-D
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


def check_heads(embed_dims: int, num_heads: int, parts: int = 1) -> None:
    """Check that channels can be split into equal parts, and each part into heads.

    Args:
        embed_dims (int): Channels ``C``.
        num_heads (int): Heads ``H`` of each part.
        parts (int): Number of parts.

    Raises:
        ValueError: If they cannot.
    """
    if embed_dims % (parts * num_heads):
        factor = f'{parts} * ' if parts > 1 else ''
        raise ValueError(
            f'embed_dims ({embed_dims}) must be divisible by {factor}num_heads '
            f'({num_heads})'
        )


@torch.no_grad()
def received_attention(attention: nn.Module, x: Tensor) -> Tensor:
    """Return the attention that each token receives, averaged over heads and queries.

    Args:
        attention (Module): :class:`Attention`, timm's, or PyTorch's
            ``MultiheadAttention``: their projections have the same order.
        x (Tensor): Tokens, (..., N, C).

    Returns:
        Tensor: Mean attention weight of each token as a key, (..., N).
    """
    is_pytorch = isinstance(attention, nn.MultiheadAttention)
    weight = attention.in_proj_weight if is_pytorch else attention.qkv.weight
    bias = attention.in_proj_bias if is_pytorch else attention.qkv.bias
    rows = 2 * x.shape[-1]  # rows of the projections of queries and keys
    qk = F.linear(x, weight[:rows], None if bias is None else bias[:rows])
    q, k = qk.unflatten(-1, (2, attention.num_heads, -1)).unbind(-3)  # (..., N, H, D)
    q = q.transpose(-3, -2)
    k = k.transpose(-3, -2)
    weights = (q * q.shape[-1] ** -0.5 @ k.transpose(-2, -1)).softmax(-1)
    return weights.mean((-3, -2))
