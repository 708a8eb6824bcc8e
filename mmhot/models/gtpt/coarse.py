"""Coarse encoder of GTPT: one human token, then all keypoints, with all patches."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmhot.models.gtpt.attention import (
    GroupBlock,
    keep_patches,
    patch_logits,
    pool_logits,
)
from mmhot.models.tokens.selection import gather_tokens, keep_highest


class PatchEmbed(nn.Module):
    """Batch normalization, and a linear layer on each patch."""

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


class CoarseState(NamedTuple):
    """Tokens between two layers of the coarse encoder, or after the last."""

    x: Tensor  # query tokens, then patches, (B, J + N, C)
    positions: Tensor  # of the tokens, (J + N, C) or (B, J + N, C)
    rows: Tensor  # of each patch in the table of positions, (B, N)
    logits: Tensor | None = None  # last layer's, of queries and patches, (B, J, H, N)
    kept: tuple[Tensor, ...] = ()  # rows of the patches that left each layer, (B, N)

    @property
    def queries(self) -> Tensor:
        """Keypoint tokens, (B, J, C)."""
        return self.x[:, : -self.rows.shape[1]]

    @property
    def patches(self) -> Tensor:
        """Patch tokens, (B, N, C)."""
        return self.x[:, -self.rows.shape[1] :]


class CoarseEncoder(nn.Module):
    """Self-attention layers in which a human token becomes keypoint tokens.

    The paper's figure calls that step human-to-keypoint (H2K) and draws it between two
    layers; as released it is between attention and MLP of one, ``keypoint_layer``.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        mlp_dims: int,
        scale: float,
        depth: int,
        num_queries: int,
        keypoint_layer: int,
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

    def begin(self, patches: Tensor, table: Tensor) -> CoarseState:
        """Put the human token before patches (B, N, C)."""
        human = self.human_token.expand(patches.shape[0], -1, -1)
        rows = torch.arange(1, len(table), device=patches.device)
        x = torch.cat([human, patches], dim=1)
        return CoarseState(x, table, rows.expand(patches.shape[0], -1))

    def forward(
        self, state: CoarseState, table: Tensor, counts: tuple[int, ...]
    ) -> CoarseState:
        """Run as many layers as there are counts, the patches that each keeps.

        The table of positions (N + 1, C) has a row of zeros for query tokens, then one
        for each patch.
        """
        for count in counts:
            state = self._run_layer(len(state.kept), state, table, count)
        return state

    def _run_layer(
        self, layer: int, state: CoarseState, table: Tensor, count: int
    ) -> CoarseState:
        """Attend, prune patches, replace the human token, and apply the MLP."""
        block, rows, positions = self.blocks[layer], state.rows, state.positions
        num_queries = 1 if layer <= self.keypoint_layer else len(self.query_tokens)
        x, (queries, keys) = block.attend(state.x + positions)
        queries, keys = queries[:, :num_queries], keys[:, num_queries:]
        is_last = layer == len(self.blocks) - 1
        is_pruned, is_grown = count < rows.shape[1], layer == self.keypoint_layer
        if is_pruned:
            with torch.no_grad():
                scores = pool_logits(patch_logits(queries, keys, block.attn.scale))
                index = keep_highest(scores, count)
            rows, x = gather_tokens(rows, index), keep_patches(x, index, num_queries)
            keys = gather_tokens(keys, index) if is_last else keys
        if is_grown:
            x = torch.cat([x[:, :1] + self.query_tokens, x[:, 1:]], dim=1)
            num_queries = len(self.query_tokens)
        if is_pruned or is_grown:
            positions = _positions(table, rows, num_queries)
        logits = patch_logits(queries, keys, block.attn.scale) if is_last else None
        x = block.feed_forward(x)
        return CoarseState(x, positions, rows, logits, (*state.kept, rows))


def _positions(table: Tensor, rows: Tensor, num_queries: int) -> Tensor:
    """Positions of query tokens, which are zeros, and of patches, (B, J + N, C)."""
    return table[nn.functional.pad(rows, (num_queries, 0))]
