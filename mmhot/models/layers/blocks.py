"""Transformer blocks, position embeddings, and execution modes of PyTorch."""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from mmhot.models.layers.attention import Attention


class MLP(nn.Module):
    """Linear, GELU, dropout, linear, dropout, on the last axis.

    Args:
        embed_dims (int): Channels ``C`` of input and output.
        hidden_dims (int): Channels between the linear layers.
        drop_rate (float): Dropout rate.
    """

    def __init__(
        self, embed_dims: int, hidden_dims: int, drop_rate: float = 0.0
    ) -> None:
        super().__init__()
        self.fc1 = nn.Linear(embed_dims, hidden_dims)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden_dims, embed_dims)
        self.drop = nn.Dropout(drop_rate)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., C)`` to ``(..., C)``."""
        x = self.drop(self.act(self.fc1(x)))
        return self.drop(self.fc2(x))


class DropPath(nn.Module):
    """Stochastic depth: in training, samples lose a residual branch at random.

    Args:
        drop_prob (float): Probability that a sample loses it.
    """

    def __init__(self, drop_prob: float) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: Tensor) -> Tensor:
        """Replace samples ``(B, ...)`` by zeros, and scale the others."""
        if not self.training or self.drop_prob == 0:
            return x
        keep_prob = 1 - self.drop_prob
        shape = len(x), *[1] * (x.ndim - 1)
        kept = (keep_prob + torch.rand(shape, dtype=x.dtype, device=x.device)).floor()
        return x.div(keep_prob) * kept


class ResidualMLP(nn.Module):
    """Pre-norm MLP with a residual sum and stochastic depth, at the end of a block.

    Args:
        embed_dims (int): Channels ``C``.
        mlp_dims (int): Hidden channels.
        drop_rate (float): Dropout rate.
        drop_path (float): Stochastic depth rate, along the first axis.
        eps (float): Epsilon of the normalization.
    """

    def __init__(
        self,
        embed_dims: int,
        mlp_dims: int,
        drop_rate: float,
        drop_path: float,
        eps: float = 1e-6,
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(embed_dims, eps=eps)
        self.mlp = MLP(embed_dims, mlp_dims, drop_rate)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., C)`` to ``(..., C)``."""
        return x + self.drop_path(self.mlp(self.norm(x)))


class TransformerBlock(nn.Module):
    """Pre-norm attention and MLP, each with a residual sum.

    Args:
        embed_dims (int): Channels ``C``.
        num_heads (int): Heads ``H``; must divide ``embed_dims``.
        mlp_dims (int): Hidden channels of the MLP.
        drop_rate (float): Dropout rate after the attention and in the MLP.
        drop_path (float): Stochastic depth rate, along the first axis.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        mlp_dims: int,
        drop_rate: float,
        drop_path: float,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(embed_dims, eps=1e-6)
        self.attn = Attention(embed_dims, num_heads, proj_drop=drop_rate)
        self.norm2 = nn.LayerNorm(embed_dims, eps=1e-6)
        self.mlp = MLP(embed_dims, mlp_dims, drop_rate)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., N, C)`` to ``(..., N, C)``."""
        x = x + self.drop_path(self.attn(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))


def build_blocks(
    block: Callable[..., nn.Module],
    depth: int,
    drop_path_rates: tuple[float, float],
    **settings: Any,
) -> list[nn.Module]:
    """Build blocks with stochastic depth rates that rise linearly over the depth.

    Args:
        block (Callable): Class of the blocks, with an argument ``drop_path``.
        depth (int): Number of blocks.
        drop_path_rates (tuple[float, float]): Rates of the first and the last block.
        **settings: Further arguments of all blocks.
    """
    rates = torch.linspace(*drop_path_rates, depth).tolist()
    return [block(**settings, drop_path=rate) for rate in rates]


def fuse_streams(fusion: nn.Linear, first: Tensor, second: Tensor) -> Tensor:
    """Average two streams with weights that are predicted for each token.

    Args:
        fusion (nn.Linear): Layer from the channels of both streams, 2 * C, to 2 logits.
        first (Tensor): First stream, (..., C).
        second (Tensor): Second stream, (..., C).

    Returns:
        Tensor: Weighted mean, (..., C).
    """
    weights = fusion(torch.cat([first, second], -1)).softmax(-1)
    # Under autocast the streams are float32 and the weights 16-bit.
    return torch.lerp(second, first, weights[..., :1].to(first.dtype))


class PositionTable(nn.Module):
    """Learned position embedding, zeros at first, added to every token.

    Args:
        num_tokens (int): Tokens ``N``.
        embed_dims (int): Channels ``C``.
    """

    def __init__(self, num_tokens: int, embed_dims: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(num_tokens, embed_dims))

    def forward(self, x: Tensor) -> Tensor:
        """Add the table to ``(..., N, C)``."""
        return x + self.table


def sine_positions(num_rows: int, num_columns: int, embed_dims: int) -> Tensor:
    """Encode the cells of a grid by sines and cosines.

    The first half of the channels encodes rows, the second half columns.

    Args:
        num_rows (int): Rows of the grid.
        num_columns (int): Columns of the grid.
        embed_dims (int): Channels ``C``, a multiple of 4.

    Returns:
        Tensor: Cells row by row, (num_rows * num_columns, C).
    """
    rows = _encode_axis(num_rows, embed_dims // 2)[:, None]
    columns = _encode_axis(num_columns, embed_dims // 2)[None]
    shape = (num_rows, num_columns, embed_dims // 2)
    return torch.cat([rows.expand(shape), columns.expand(shape)], dim=-1).flatten(0, 1)


def _encode_axis(length: int, channels: int) -> Tensor:
    """Encode places on one axis, sines and cosines in turn, (length, channels)."""
    places = torch.arange(1, length + 1) / (length + 1e-6) * (2 * math.pi)
    wave_length = 10000 ** (torch.arange(0, channels, 2) / channels)
    angles = places[:, None] / wave_length
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def sine_moments(moments: Tensor, duration: float, embed_dims: int) -> Tensor:
    """Encode moments by sines and cosines with periods of 0.1 to 2.5 durations.

    Args:
        moments (Tensor): Moments in any unit, such as frames, (N,).
        duration (float): Length of the sequence in this unit.
        embed_dims (int): Channels ``C``.

    Returns:
        Tensor: Sines, then cosines, (N, C).
    """
    periods = duration * torch.logspace(-1, 0.4, (embed_dims + 1) // 2)
    angles = 2 * math.pi * moments[:, None] / periods
    return torch.cat([angles.sin(), angles.cos()], dim=-1)[:, :embed_dims]


def check_windows(model: nn.Module, x: Tensor, *sizes: int | None) -> None:
    """Check the shape of the poses that are passed to a model.

    Args:
        model (nn.Module): The model, for the message.
        x (Tensor): Poses, (B, T, K, C).
        *sizes (int, optional): Needed ``T``, ``K`` and ``C``; None allows any number.

    Raises:
        ValueError: If the shape does not fit.
    """
    given = x.shape[1:]
    fits = [size in (None, length) for size, length in zip(sizes, given, strict=False)]
    if len(given) != 3 or not all(fits):
        wanted = [size or name for size, name in zip(sizes, 'TKC', strict=True)]
        raise ValueError(
            f'{type(model).__name__} needs poses (B, {", ".join(map(str, wanted))}), '
            f'got {tuple(x.shape)}'
        )


def full_precision(x: Tensor) -> AbstractContextManager:
    """Return a context without autocast, for the device of a tensor (...)."""
    device = x.device.type
    if not torch.amp.is_autocast_available(device):  # PyTorch's 'meta', for example
        return nullcontext()
    return torch.autocast(device, enabled=False)
