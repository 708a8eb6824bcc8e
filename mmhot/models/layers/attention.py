"""Multi-head self-attention."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Numbers of tokens for which plain products are faster than the fused kernel, on a CPU:
# in training, which needs the logits again, and in inference.
_PLAIN_IN_TRAINING = range(64)
_PLAIN_IN_INFERENCE = range(16, 65)
# The fused kernel's gradient is slow in half precision, which is for training.
_PLAIN_IN_HALF_PRECISION = range(512)
# Softmax is slow over rows of at most so many numbers, which it takes one by one, and
# fast over columns, which it takes side by side.
_SHORT_ROWS = 20


class Attention(nn.Module):
    """Multi-head self-attention over the second-last axis.

    Any axes may lead, so that attention over keypoints and over frames are the
    same module: ``attention(x)`` and ``attention(x.transpose(1, 2))``.

    Args:
        embed_dims (int): Channels ``C``.
        num_heads (int): Heads ``H``; must divide ``embed_dims``. Defaults to 8.
        qkv_bias (bool): Whether queries, keys and values have a bias. Defaults
            to True.
        scale (float, optional): What the logits are multiplied by. Defaults to
            ``(C / H) ** -0.5``.
        proj_drop (float): Dropout rate after the output projection. Defaults to 0.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int = 8,
        qkv_bias: bool = True,
        scale: float | None = None,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__()
        if embed_dims % num_heads:
            raise ValueError(
                f'embed_dims ({embed_dims}) must be divisible by num_heads '
                f'({num_heads})'
            )
        self.num_heads = num_heads
        self.scale = scale
        self.qkv = nn.Linear(embed_dims, 3 * embed_dims, bias=qkv_bias)
        self.proj = nn.Linear(embed_dims, embed_dims)
        self.proj_drop = nn.Dropout(proj_drop)

    def forward(self, x: Tensor) -> Tensor:
        """Attend within ``(..., N, C)``; the shape is kept."""
        lead = x.shape[:-2]
        # fused kernels want 4-D, and what is not contiguous would not be one product
        x = x.reshape(-1, *x.shape[-2:]).contiguous()
        qkv = self.qkv(x).unflatten(-1, (3, self.num_heads, -1))
        # transposed last: so gradients are joined where the linear layer wants them
        q, k, v = (each.transpose(1, 2) for each in qkv.unbind(2))  # (B', H, N, D)
        x = attend(q, k, v, self.scale)
        x = self.proj_drop(self.proj(x.transpose(1, 2).flatten(2)))
        return x.reshape(*lead, *x.shape[-2:])

    def at(self, x: Tensor, place: Tensor) -> Tensor:
        """Attend for one token of each sequence alone.

        Args:
            x (Tensor): Tokens, (B, N, C).
            place (Tensor): Which token, (B,).

        Returns:
            Tensor: What :meth:`forward` gives for it, (B, 1, C).
        """
        dims, weight, bias = x.shape[-1], self.qkv.weight, self.qkv.bias
        own, pairs = (None, None) if bias is None else bias.tensor_split([dims])
        q = F.linear(take_token(x, place), weight[:dims], own)
        pairs = F.linear(x, weight[dims:], pairs).unflatten(-1, (2, self.num_heads, -1))
        q = q.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        k, v = (each.transpose(1, 2) for each in pairs.unbind(2))
        x = F.scaled_dot_product_attention(q, k, v, scale=self.scale)
        return self.proj_drop(self.proj(x.transpose(1, 2).flatten(2)))


def take_token(x: Tensor, place: Tensor) -> Tensor:
    """Take one token (B, 1, ...) of each sequence (B, N, ...), by its place (B,)."""
    return x[torch.arange(x.shape[0], device=x.device), place].unsqueeze(1)


def attend(q: Tensor, k: Tensor, v: Tensor, scale: float | None) -> Tensor:
    """Attend, within (B, H, N, D), by whatever is fastest."""
    if q.device.type == 'cpu' and q.shape[-2] in _plain_lengths(q.dtype):
        q = q * (q.shape[-1] ** -0.5 if scale is None else scale)
        if k.shape[-2] > _SHORT_ROWS:
            return (q @ k.mT).softmax(-1) @ v
        return (k @ q.mT).softmax(-2).mT @ v
    return F.scaled_dot_product_attention(q, k, v, scale=scale)


def _plain_lengths(dtype: torch.dtype) -> range:
    if not torch.is_grad_enabled():
        return _PLAIN_IN_INFERENCE
    is_half = dtype in (torch.bfloat16, torch.float16)
    return _PLAIN_IN_HALF_PRECISION if is_half else _PLAIN_IN_TRAINING


class CrossAttention(nn.Module):
    """Multi-head attention of queries to other tokens, over the second-last axis.

    Args:
        embed_dims (int): Channels ``C``.
        num_heads (int): Heads ``H``; must divide ``embed_dims``. Defaults to 8.
        qkv_bias (bool): Whether queries, keys and values have a bias. Defaults
            to True.
    """

    def __init__(
        self, embed_dims: int, num_heads: int = 8, qkv_bias: bool = True
    ) -> None:
        super().__init__()
        if embed_dims % num_heads:
            raise ValueError(
                f'embed_dims ({embed_dims}) must be divisible by num_heads '
                f'({num_heads})'
            )
        self.num_heads = num_heads
        self.query = nn.Linear(embed_dims, embed_dims, bias=qkv_bias)
        self.key = nn.Linear(embed_dims, embed_dims, bias=qkv_bias)
        self.value = nn.Linear(embed_dims, embed_dims, bias=qkv_bias)
        self.proj = nn.Linear(embed_dims, embed_dims)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Let queries attend to the values whose keys they match.

        Args:
            query (Tensor): (..., N, C), or (N, C) if all leading axes share them:
                they are projected once then.
            key (Tensor): (..., M, C).
            value (Tensor): (..., M, C).

        Returns:
            Tensor: (..., N, C).
        """
        lead = key.shape[:-2]
        q = self._split(self.query(query))
        k, v = self._split(self.key(key)), self._split(self.value(value))
        q = q.expand(k.shape[0], -1, -1, -1)
        x = attend(q, k, v, None)  # (B', H, N, D)
        x = self.proj(x.transpose(1, 2).flatten(2))
        return x.reshape(*lead, *x.shape[-2:])

    def _split(self, x: Tensor) -> Tensor:
        """Give ``(..., N, C)`` heads, as (B', H, N, D)."""
        x = x.reshape(-1, *x.shape[-2:])  # fused kernels want 4-D
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


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
