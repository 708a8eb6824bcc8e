"""The usual block of transformers."""

from torch import Tensor, nn

from .attention import Attention, take_token
from .drop_path import DropPath
from .mlp import MLP


class TransformerBlock(nn.Module):
    """Attention and a perceptron, each normalised before and with a residual sum.

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
