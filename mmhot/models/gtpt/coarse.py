"""GTPT's coarse encoder: one human token, then all keypoints, with all patches."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmhot.deploy.fused_linear import FusedLinear
from mmhot.models.gtpt.group_attention import GroupBlock
from mmhot.models.tokens.selection import gather_tokens, keep_highest


class CoarseTokens(NamedTuple):
    """What the coarse encoder leaves.

    Args:
        queries (Tensor): Keypoint tokens, (B, J, C).
        patches (Tensor): Patch tokens, (B, N, C).
        rows (Tensor): Row of each patch in the table of positions, (B, N).
        logits (Tensor): Last layer's logits between them, (B, J, H, N).
        kept (tuple[Tensor]): Rows of the patches that left each layer, (B, N).
    """

    queries: Tensor
    patches: Tensor
    rows: Tensor
    logits: Tensor
    kept: tuple[Tensor, ...]


class CoarseState(NamedTuple):
    """Tokens between two layers of the coarse encoder.

    Args:
        x (Tensor): Query tokens, then patches, (B, J + N, C).
        positions (Tensor): What the next layer adds, (J + N, C) or (B, J + N, C).
        rows (Tensor): Row of each patch in the table of positions, (B, N).
        pairs (tuple[Tensor, Tensor] | None): Last layer's queries (B, J, H, D) and
            the keys of patches (B, N, H, D).
        kept (tuple[Tensor]): Rows of the patches that left each layer, (B, N).
    """

    x: Tensor
    positions: Tensor
    rows: Tensor
    pairs: tuple[Tensor, Tensor] | None = None
    kept: tuple[Tensor, ...] = ()


class CoarseEncoder(nn.Module):
    """Self-attention layers in which a human token becomes keypoint tokens.

    Args:
        embed_dims (int): Channels ``C``.
        num_heads (int): Heads of the attention.
        depth (int): Layers.
        mlp_dims (int): Hidden channels of the perceptrons.
        num_queries (int): Keypoint tokens ``J``.
        keypoint_layer (int): Layer between whose attention and perceptron the human
            token becomes keypoints.
        scale (float): What logits of the attention are multiplied by.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        depth: int,
        mlp_dims: int,
        num_queries: int,
        keypoint_layer: int,
        scale: float,
    ) -> None:
        super().__init__()
        if not 0 <= keypoint_layer < depth - 1:
            raise ValueError(
                'keypoint_layer must be a coarse layer but the last, from 0 to '
                f'{depth - 2}, got {keypoint_layer}'
            )
        self.keypoint_layer = keypoint_layer
        self.human_token = nn.Parameter(torch.empty(1, embed_dims))
        self.query_tokens = nn.Parameter(torch.empty(num_queries, embed_dims))
        for tokens in (self.human_token, self.query_tokens):
            nn.init.trunc_normal_(tokens, std=0.02)
        self.blocks = nn.ModuleList(
            GroupBlock(embed_dims, num_heads, mlp_dims, scale) for _ in range(depth)
        )

    def forward(
        self, state: CoarseState, table: Tensor, counts: tuple[int, ...]
    ) -> CoarseTokens:
        """Run all layers that are left.

        Args:
            state (CoarseState): What :meth:`begin` or :meth:`advance` returned.
            table (Tensor): Row 0 of zeros for tokens without a position, then one of
                each patch, (N + 1, C).
            counts (tuple[int]): Patches that each of these layers keeps.
        """
        state = self.advance(state, table, counts)
        logits = patch_logits(*state.pairs, self.blocks[-1].attn.scale)
        queries, patches = state.x.tensor_split([logits.shape[1]], dim=1)
        return CoarseTokens(queries, patches, state.rows, logits, state.kept)

    def begin(self, patches: Tensor, table: Tensor) -> CoarseState:
        """Put the human token before patches (B, N, C)."""
        human = self.human_token.expand(len(patches), -1, -1)
        x = torch.cat([human, patches + table[1:]], dim=1)
        rows = torch.arange(1, len(table), device=x.device).expand(len(x), -1)
        return CoarseState(x, table, rows)

    def advance(
        self, state: CoarseState, table: Tensor, counts: tuple[int, ...]
    ) -> CoarseState:
        """Run the next layers, of which each keeps so many patches."""
        for count in counts:
            state = self._run_layer(len(state.kept), state, table, count)
        return state

    def _run_layer(
        self, layer: int, state: CoarseState, table: Tensor, count: int
    ) -> CoarseState:
        block, (x, positions, rows, _, kept) = self.blocks[layer], state
        num_queries = 1 if layer <= self.keypoint_layer else len(self.query_tokens)
        # the first layer's input has them already
        x, qkv = block.attend(x + positions if layer else x)
        queries, keys = qkv[:, :num_queries, 0], qkv[:, num_queries:, 1]
        if count != rows.shape[1]:
            with torch.no_grad():
                logits = patch_logits(queries, keys, block.attn.scale)
                index = keep_highest(pool_logits(logits), count)
            keys, rows = gather_tokens(keys, index), gather_tokens(rows, index)
            x = keep_patches(x, index, num_queries)
            positions = table[_pad(rows, num_queries)]
        if layer == self.keypoint_layer:
            x = torch.cat([x[:, :1] + self.query_tokens, x[:, 1:]], dim=1)
            positions = table[_pad(rows, len(self.query_tokens))]
        x = block.feed_forward(x)
        return CoarseState(x, positions, rows, (queries, keys), (*kept, rows))


def keep_patches(x: Tensor, index: Tensor, num_others: int) -> Tensor:
    """Keep the first tokens, and those of the others that an index names.

    Args:
        x (Tensor): Tokens, (B, N, C).
        index (Tensor): Tokens to keep, counted from ``num_others`` on, (B, n).
        num_others (int): Tokens in front that stay.
    """
    others = torch.arange(num_others, device=x.device).expand(len(index), -1)
    return gather_tokens(x, torch.cat([others, index + num_others], dim=1))


def _pad(rows: Tensor, num_queries: int) -> Tensor:
    """Put row 0, of no position, before those of patches."""
    return nn.functional.pad(rows, (num_queries, 0))


class PatchEmbed(nn.Module):
    """Batch normalization, patches, and a linear layer on each.

    Args:
        in_channels (int): Channels ``C`` of the map.
        embed_dims (int): Channels ``D`` of a token.
        patch_size (tuple[int, int]): Width and height of a patch.
    """

    def __init__(
        self, in_channels: int, embed_dims: int, patch_size: tuple[int, int]
    ) -> None:
        super().__init__()
        self.patch_size = tuple(patch_size)
        width, height = self.patch_size
        self.norm = nn.BatchNorm2d(in_channels)
        self.proj = nn.Linear(height * width * in_channels, embed_dims)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` to tokens ``(B, N, D)``, row by row."""
        width, height = self.patch_size
        x = self.norm(x).permute(0, 2, 3, 1)  # (B, H, W, C)
        x = x.unflatten(2, (-1, width)).unflatten(1, (-1, height)).transpose(2, 3)
        return self.proj(x.flatten(1, 2).flatten(2))

    @torch.no_grad()
    def switch_to_deploy(self, test_cfg: dict | None = None) -> None:
        """Make the normalization part of the linear layer."""
        norm, proj = self.norm, self.proj
        if isinstance(norm, nn.Identity):
            return
        width, height = self.patch_size
        scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
        shift = norm.bias - scale * norm.running_mean
        proj.bias += proj.weight @ shift.repeat(height * width)
        proj.weight *= scale.repeat(height * width)
        self.norm, self.proj = nn.Identity(), FusedLinear(proj)


def patch_logits(queries: Tensor, keys: Tensor, scale: float) -> Tensor:
    """Return the attention logits between the tokens that judge and the patches.

    Args:
        queries (Tensor): Queries of the tokens that judge, (..., R, H, D).
        keys (Tensor): Keys of the patches, (..., N, H, D).
        scale (float): What the logits are multiplied by in the attention.

    Returns:
        Tensor: Logits, (..., R, H, N).
    """
    queries = queries.transpose(-3, -2) * scale
    logits = queries @ keys.movedim(-3, -1)  # (..., H, R, N)
    return logits.transpose(-3, -2)


def pool_logits(logits: Tensor, valid: Tensor | None = None) -> Tensor:
    """Score patches: the mean of a patch's logits, weighted by their own softmax.

    Args:
        logits (Tensor): Logits of R queries and H heads, (..., R, H, N).
        valid (Tensor, optional): Which queries count, (..., R). Defaults to None: all.

    Returns:
        Tensor: Scores, (..., N).
    """
    exponents = logits
    if valid is not None:
        exponents = logits.masked_fill(~valid[..., None, None], -torch.inf)
    weights = exponents.flatten(-3, -2).softmax(dim=-2)
    return (weights * logits.flatten(-3, -2)).sum(dim=-2)
