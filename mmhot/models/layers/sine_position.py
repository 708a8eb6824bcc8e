"""Sine tables of positions in a grid, and of moments."""

import math

import torch
from torch import Tensor


def sine_positions(num_rows: int, num_columns: int, embed_dims: int) -> Tensor:
    """Encode the cells of a grid by sines and cosines of their row and column.

    Args:
        num_rows (int): Rows of the grid.
        num_columns (int): Columns of the grid.
        embed_dims (int): Channels ``C``, a multiple of 4: the first half tells the
            row, the second the column.

    Returns:
        Tensor: The table, row by row, (num_rows * num_columns, C).
    """
    if embed_dims % 4:
        raise ValueError(
            f'embed_dims must be a multiple of 4 for sine positions, got {embed_dims}'
        )
    rows = _encode(num_rows, embed_dims // 2)[:, None]
    columns = _encode(num_columns, embed_dims // 2)[None]
    shape = (num_rows, num_columns, embed_dims // 2)
    table = torch.cat([rows.expand(shape), columns.expand(shape)], dim=-1)
    return table.flatten(0, 1)


def sine_moments(moments: Tensor, duration: float, embed_dims: int) -> Tensor:
    """Encode moments by sines and cosines of a tenth to 2.5 times a duration.

    Args:
        moments (Tensor): When, (N,).
        duration (float): Of what they are in.
        embed_dims (int): Channels ``C``.

    Returns:
        Tensor: (N, C), each within one of zero.
    """
    periods = duration * torch.logspace(-1, 0.4, (embed_dims + 1) // 2)
    angles = 2 * math.pi * moments[:, None] / periods
    return torch.cat([angles.sin(), angles.cos()], dim=-1)[:, :embed_dims]


def _encode(length: int, channels: int) -> Tensor:
    """Encode places on one axis, sines and cosines in turn, (length, channels)."""
    places = torch.arange(1, length + 1) / (length + 1e-6) * (2 * math.pi)
    wave_length = 10000 ** (torch.arange(0, channels, 2) / channels)
    angles = places[:, None] / wave_length
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)
