"""Position tables."""

import torch
from torch import Tensor, nn


class PositionTable(nn.Module):
    """Learned embedding that is added to every token by its position.

    Args:
        num_tokens (int): Positions ``N``.
        embed_dims (int): Channels ``C``.
        init_std (float): Standard deviation of the truncated normal that the table
            starts with. Defaults to 0, a table of zeros.
    """

    def __init__(self, num_tokens: int, embed_dims: int, init_std: float = 0.0) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(num_tokens, embed_dims))
        if init_std:
            nn.init.trunc_normal_(self.table, std=init_std)

    def forward(self, x: Tensor) -> Tensor:
        """Add the table to ``(..., N, C)``."""
        return x + self.table
