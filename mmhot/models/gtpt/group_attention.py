"""Attention within groups that share some of their tokens."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmhot.deploy.fused_linear import fuse_linears
from mmhot.models.layers.attention import Attention, attend
from mmhot.models.layers.blocks import MLP


class GroupAttention(Attention):
    """Multi-head group attention (MHGA): all groups' slots, own private tokens.

    Every token sees the slots of all groups and the private tokens of its own group.
    A single group without empty slots is plain self-attention.

    Args:
        embed_dims (int): Channels ``C``.
        num_heads (int): Heads ``H``; must divide ``embed_dims``. Defaults to 8.
        scale (float, optional): What the logits are multiplied by. Defaults to
            ``(C / H) ** -0.5``.
    """

    def __init__(
        self, embed_dims: int, num_heads: int = 8, scale: float | None = None
    ) -> None:
        if scale is None:
            scale = (embed_dims // num_heads) ** -0.5
        super().__init__(embed_dims, num_heads, qkv_bias=False, scale=scale)

    def forward(
        self,
        x: Tensor,
        num_groups: int = 1,
        num_slots: int = 0,
        shared: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Attend.

        Args:
            x (Tensor): Tokens of each group, slots first, (B * G, N, C).
            num_groups (int): Groups ``G``. Defaults to 1.
            num_slots (int): Slots ``S`` of a group. Defaults to 0.
            shared (Tensor, optional): Which of all ``G * S`` slots are seen, (M, ).
                Defaults to None: every token sees its own group, slots and all.

        Returns:
            tuple[Tensor, Tensor]: The result, (B * G, N, C), and queries, keys and
            values of all tokens, (B * G, N, 3, H, D).
        """
        qkv = self.qkv(x).view(*x.shape[:2], 3, self.num_heads, -1)
        q, k, v = qkv.unbind(2)  # (B * G, N, H, D)
        if shared is not None:
            pairs = _share(qkv[:, :, 1:], num_groups, num_slots, shared)
            k, v = pairs.unbind(2)
        # transposed last, as in plain attention
        q, k, v = (each.transpose(1, 2) for each in (q, k, v))
        if torch.is_grad_enabled():
            x = attend(q, k, v, self.scale)
        else:  # with these few tokens, all heads and groups at once
            x = F.scaled_dot_product_attention(q, k, v, scale=self.scale)
        return self.proj(x.transpose(1, 2).flatten(2)), qkv


def _share(pairs: Tensor, num_groups: int, num_slots: int, shared: Tensor) -> Tensor:
    """Put all groups' slots before the private tokens of each, in (B * G, N, ...)."""
    rest = pairs.shape[2:]
    slots = pairs[:, :num_slots].reshape(-1, num_groups * num_slots, *rest)
    slots = slots.index_select(1, shared).unsqueeze(1)
    slots = slots.expand(-1, num_groups, *slots.shape[2:]).flatten(0, 1)
    return torch.cat([slots, pairs[:, num_slots:]], dim=1)


class GroupBlock(nn.Module):
    """Group attention and a perceptron, each normalized before, with residual sums.

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
