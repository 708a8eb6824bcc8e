"""Group attention of GTPT, and the scores by which patches are pruned."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmhot.models.gtpt.groups import KeypointGroups
from mmhot.models.layers.attention import check_heads
from mmhot.models.layers.blocks import MLP
from mmhot.models.tokens.selection import gather_tokens


class GroupAttention(nn.Module):
    """Multi-head group attention (MHGA).

    Every token attends to the slots of all groups and the private tokens of its own
    group ``g``: ``softmax(s Q_g [K_slots, K_g]^T) [V_slots, V_g]`` with a scale ``s``,
    where slots of padding are left out. Without groups this is plain self-attention.

    Args:
        embed_dims (int): Channels ``C``.
        num_heads (int): Heads ``H``; must divide ``embed_dims``.
        scale (float, optional): Factor of the logits. Defaults to that of a head's
            channels, ``(C / H) ** -0.5``.
        share_slots (bool): Whether groups see the slots of each other. If not, this is
            plain self-attention in each group.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        scale: float | None = None,
        share_slots: bool = True,
    ) -> None:
        super().__init__()
        check_heads(embed_dims, num_heads)
        self.num_heads = num_heads
        self.share_slots = share_slots
        self.scale = (embed_dims // num_heads) ** -0.5 if scale is None else scale
        self.qkv = nn.Linear(embed_dims, 3 * embed_dims, bias=False)
        self.proj = nn.Linear(embed_dims, embed_dims)

    def forward(
        self, x: Tensor, groups: KeypointGroups | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Attend within the tokens of each group.

        Args:
            x (Tensor): Tokens of each group, slots first, (B * G, N, C).
            groups (KeypointGroups, optional): Without groups every token attends to all
                tokens of its sequence.

        Returns:
            tuple[Tensor, tuple[Tensor, Tensor]]: Attended tokens, (B * G, N, C), and
            the queries and keys of all tokens, (B * G, N, H, D) each.
        """
        qkv = self.qkv(x)
        q, k, v = qkv.chunk(3, dim=-1)
        queries_keys = self._split(q), self._split(k)
        mask = None
        if groups is not None and not self.share_slots:
            num_private = x.shape[1] - groups.num_slots
            mask = F.pad(groups.slot_mask, (0, num_private), value=True)  # (G, N)
            mask = mask.repeat(x.shape[0] // groups.num_groups, 1)[:, None, None]
        elif groups is not None:
            k, v = _share_slots(qkv[..., q.shape[-1] :], groups).chunk(2, dim=-1)
        q, k, v = (self._split(part).transpose(1, 2) for part in (q, k, v))
        x = F.scaled_dot_product_attention(q, k, v, mask, scale=self.scale)
        return self.proj(x.transpose(1, 2).flatten(2)), queries_keys

    def _split(self, x: Tensor) -> Tensor:
        """Split channels into heads, (..., H, D)."""
        return x.unflatten(-1, (self.num_heads, -1))


def _share_slots(x: Tensor, groups: KeypointGroups) -> Tensor:
    """Put all groups' slots before the private tokens of each, (B * G, M + N, C)."""
    slots, private = x[:, : groups.num_slots], x[:, groups.num_slots :]
    slots = slots.unflatten(0, (-1, groups.num_groups)).flatten(1, 2)
    slots = slots.index_select(1, groups.real_slots)  # (B, M, C)
    slots = slots.repeat_interleave(groups.num_groups, dim=0)
    return torch.cat([slots, private], dim=1)


class GroupBlock(nn.Module):
    """Pre-norm group attention and MLP, each with a residual sum.

    The two are separate steps, as tokens are pruned and introduced between them.
    """

    def __init__(self, attn: GroupAttention, embed_dims: int, mlp_dims: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(embed_dims)
        self.attn = attn
        self.norm2 = nn.LayerNorm(embed_dims)
        self.mlp = MLP(embed_dims, mlp_dims)

    def attend(
        self, x: Tensor, groups: KeypointGroups | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """First step: new tokens (B * G, N, C), and their queries and keys."""
        attended, queries_keys = self.attn(self.norm1(x), groups)
        return x + attended, queries_keys

    def feed_forward(self, x: Tensor) -> Tensor:
        """Second step: map each of the tokens ``(B * G, N, C)``."""
        return x + self.mlp(self.norm2(x))


def patch_logits(queries: Tensor, keys: Tensor, scale: float) -> Tensor:
    """Compute the attention logits between scoring tokens and patches.

    Args:
        queries (Tensor): Queries of the scoring tokens, (..., R, H, D).
        keys (Tensor): Keys of the patches, (..., N, H, D).
        scale (float): Factor of the logits.

    Returns:
        Tensor: Logits, (..., R, H, N).
    """
    queries = queries.transpose(-3, -2) * scale
    logits = queries @ keys.movedim(-3, -1)  # (..., H, R, N)
    return logits.transpose(-3, -2)


def pool_logits(logits: Tensor, valid: Tensor | None = None) -> Tensor:
    """Score patches by softmax pooling, for the group-based token pruning.

    With the logits ``l_i`` of a patch, one for each of R queries and H heads, its score
    is ``sum_i softmax(l)_i * l_i``.

    Args:
        logits (Tensor): Logits, (..., R, H, N).
        valid (Tensor, optional): Mask of the queries that count, (..., R).

    Returns:
        Tensor: Score of each patch, (..., N).
    """
    exponents = logits
    if valid is not None:
        exponents = logits.masked_fill(~valid[..., None, None], -torch.inf)
    weights = exponents.flatten(-3, -2).softmax(dim=-2)
    return (weights * logits.flatten(-3, -2)).sum(dim=-2)


def keep_patches(x: Tensor, index: Tensor, num_queries: int) -> Tensor:
    """Keep all query tokens, and some of the patches behind them.

    Args:
        x (Tensor): Query tokens, then patches, (B, num_queries + N, C).
        index (Tensor): Patches to keep, (B, n), counted from the first patch.
        num_queries (int): Number of query tokens.

    Returns:
        Tensor: Query tokens, then the kept patches, (B, num_queries + n, C).
    """
    patches = gather_tokens(x[:, num_queries:], index)
    return torch.cat([x[:, :num_queries], patches], dim=1)
