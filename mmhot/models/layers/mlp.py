"""Two-layer perceptron."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .dropout import Dropout


class MLP(nn.Module):
    """Linear, GELU, dropout, linear, dropout, on the last axis.

    Args:
        embed_dims (int): Input and output channels ``C``.
        hidden_dims (int): Channels between the two linear layers.
        drop_rate (float): Dropout rate after each linear layer. Defaults to 0.
    """

    def __init__(
        self, embed_dims: int, hidden_dims: int, drop_rate: float = 0.0
    ) -> None:
        super().__init__()
        self.fc1 = nn.Linear(embed_dims, hidden_dims)
        self.fc2 = nn.Linear(hidden_dims, embed_dims)
        self.drop = Dropout(drop_rate)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., C)`` to ``(..., C)``."""
        return self.drop(self.fc2(self.drop(gelu(self.fc1(x)))))


def gelu(x: Tensor) -> Tensor:
    """Apply GELU, where there are no gradients in place: nobody needs ``x`` twice."""
    return F.gelu(x) if torch.is_grad_enabled() else torch.ops.aten.gelu_(x)
