"""Attention within groups that share some of their tokens."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .attention import Attention


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
        self, x: Tensor, num_slots: int = 0, shared: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Attend.

        Args:
            x (Tensor): Tokens of each group, slots first, (B, G, N, C).
            num_slots (int): Slots ``S`` of a group. Defaults to 0.
            shared (Tensor, optional): Which of all ``G * S`` slots are seen, (M, ).
                Defaults to None: every token sees its own group, slots and all.

        Returns:
            tuple[Tensor, Tensor, Tensor]: The result, (B, G, N, C), and the queries,
            not yet scaled, and keys of all tokens, (B, G, N, H, D).
        """
        qkv = self.qkv(x).unflatten(-1, (3, self.num_heads, -1))
        q, k, v = qkv.unbind(-3)  # (B, G, N, H, D)
        key, value = k, v
        if shared is not None:
            pairs = _share(qkv[..., 1:, :, :], num_slots, shared)
            key, value = pairs.unbind(-3)
        x = F.scaled_dot_product_attention(
            *(token.flatten(0, 1).transpose(1, 2) for token in (q, key, value)),
            scale=self.scale,
        )
        x = self.proj(x.transpose(1, 2).flatten(2))
        return x.unflatten(0, q.shape[:2]), q, k


def _share(pairs: Tensor, num_slots: int, shared: Tensor) -> Tensor:
    """Put all groups' slots before the private tokens of each, (B, G, M + P, ...)."""
    slots = pairs[:, :, :num_slots].flatten(1, 2).index_select(1, shared)
    slots = slots.unsqueeze(1).expand(-1, pairs.shape[1], *[-1] * (slots.ndim - 1))
    return torch.cat([slots, pairs[:, :, num_slots:]], dim=2)
