"""Transformer block on grouped tokens, in two steps."""

from torch import Tensor, nn

from .fused_linear import fuse_linears
from .group_attention import GroupAttention
from .mlp import MLP


class GroupBlock(nn.Module):
    """Group attention and a perceptron, each normalised before, with residual sums.

    The two are separate steps, as tokens are pruned and introduced between them.

    Args:
        embed_dims (int): Channels ``C``.
        num_heads (int): Heads of the attention.
        mlp_dims (int): Hidden channels of the perceptron.
        scale (float, optional): What logits of the attention are multiplied by.
            Defaults to None, see :class:`GroupAttention`.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        mlp_dims: int,
        scale: float | None = None,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(embed_dims)
        self.attn = GroupAttention(embed_dims, num_heads, scale)
        self.norm2 = nn.LayerNorm(embed_dims)
        self.mlp = MLP(embed_dims, mlp_dims)

    def attend(
        self,
        x: Tensor,
        num_groups: int = 1,
        num_slots: int = 0,
        shared: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """First step: new tokens, and the attention's queries, keys and values."""
        attended, qkv = self.attn(self.norm1(x), num_groups, num_slots, shared)
        return x + attended, qkv

    def feed_forward(self, x: Tensor) -> Tensor:
        """Second step, on each of the tokens ``(B * G, N, C)``."""
        return x + self.mlp(self.norm2(x))

    def switch_to_deploy(self, test_cfg: dict | None = None) -> None:
        """Use linear layers for inference; MMPose tells modules, and no more."""
        fuse_linears(self)
