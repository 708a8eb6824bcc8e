"""Transformer blocks and their parts: MLP, dropout, stochastic depth, positions."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmhot.models.layers.attention import Attention, take_token


class DropPath(nn.Module):
    """Drop the whole value of a sample, at random, while training.

    It differs from mmcv's in two ways that matter on a CPU: survivors are scaled
    by the mask itself, one pass over the data instead of two, and :meth:`add`
    joins that pass with the residual sum.

    Args:
        drop_prob (float): Probability that a sample is dropped; survivors are
            scaled by ``1 / (1 - drop_prob)``. Defaults to 0.
    """

    def __init__(self, drop_prob: float = 0.0) -> None:
        super().__init__()
        if not 0 <= drop_prob < 1:
            raise ValueError(f'drop_prob must be in [0, 1), got {drop_prob}')
        self.drop_prob = drop_prob

    def forward(self, x: Tensor) -> Tensor:
        """Drop samples along the first axis of ``(B, ...)``."""
        return x * self._mask(x) if self._is_active() else x

    def add(self, x: Tensor, branch: Tensor) -> Tensor:
        """Residual sum ``x + forward(branch)`` of two ``(B, ...)`` tensors."""
        if not self._is_active():
            return x + branch
        return torch.addcmul(x, branch, self._mask(branch))

    def _is_active(self) -> bool:
        return self.training and self.drop_prob > 0

    def _mask(self, x: Tensor) -> Tensor:
        keep_prob = 1 - self.drop_prob
        mask = x.new_empty(x.shape[0], *[1] * (x.ndim - 1))
        return mask.bernoulli_(keep_prob).div_(keep_prob)

    def extra_repr(self) -> str:
        """Show the rate."""
        return f'drop_prob={self.drop_prob:g}'


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
        self.drop = nn.Dropout(drop_rate)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., C)`` to ``(..., C)``."""
        return self.drop(self.fc2(self.drop(gelu(self.fc1(x)))))


def gelu(x: Tensor) -> Tensor:
    """Apply GELU, where there are no gradients in place: nobody needs ``x`` twice."""
    return F.gelu(x) if torch.is_grad_enabled() else torch.ops.aten.gelu_(x)


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


def fuse_streams(fusion: nn.Linear, first: Tensor, second: Tensor) -> Tensor:
    """Average two streams with weights that each token chooses.

    Args:
        fusion (nn.Linear): Maps both streams' channels, 2 * C, to two logits.
        first (Tensor): (..., C).
        second (Tensor): (..., C).

    Returns:
        Tensor: (..., C).
    """
    weights = fusion(torch.cat([first, second], -1)).softmax(-1)
    # in mixed precision the streams have more digits than the weights
    return torch.lerp(second, first, weights[..., :1].to(first.dtype))


class TransformerBlock(nn.Module):
    """Attention and a perceptron, each normalized before and with a residual sum.

    Args:
        embed_dims (int): Channels ``C``.
        num_heads (int): Heads of the attention.
        mlp_dims (int): Hidden channels of the perceptron.
        drop_rate (float): Dropout rate after both. Defaults to 0.
        drop_path (float): Rate of stochastic depth, along the first axis. Defaults
            to 0.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        mlp_dims: int,
        drop_rate: float = 0.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(embed_dims, eps=1e-6)
        self.attn = Attention(embed_dims, num_heads, proj_drop=drop_rate)
        self.norm2 = nn.LayerNorm(embed_dims, eps=1e-6)
        self.mlp = MLP(embed_dims, mlp_dims, drop_rate)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., N, C)`` to ``(..., N, C)``."""
        return self._feed(self.drop_path.add(x, self.attn(self.norm1(x))))

    def at(self, x: Tensor, place: Tensor) -> Tensor:
        """Result of one token alone, (B, 1, C), of (B, N, C) and its place (B,)."""
        attended = self.attn.at(self.norm1(x), place)
        return self._feed(self.drop_path.add(take_token(x, place), attended))

    def _feed(self, x: Tensor) -> Tensor:
        return self.drop_path.add(x, self.mlp(self.norm2(x)))
