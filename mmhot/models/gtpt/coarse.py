"""Coarse encoder of GTPT: one human token, then all keypoints, with all patches."""

from collections.abc import Iterable
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

    x: Tensor  # human token or keypoint tokens, then patches, (B, J + N, C)
    rows: Tensor  # row of each patch in the table of positions, (B, N)
    kept: tuple[Tensor, ...] = ()  # rows of the patches that left each layer, (B, N)
    # Attention logits between queries and patches in the last layer, (B, J, H, N)
    logits: Tensor | None = None

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

    The paper's figure calls this step human-to-keypoint (H2K) and draws it between two
    layers. In the released model it is between attention and MLP of one layer,
    ``keypoint_layer``.
    """

    def __init__(
        self,
        blocks: Iterable[GroupBlock],
        embed_dims: int,
        num_queries: int,
        keypoint_layer: int,
    ) -> None:
        super().__init__()
        self.keypoint_layer = keypoint_layer
        self.human_token = nn.Parameter(torch.empty(1, embed_dims))
        self.query_tokens = nn.Parameter(torch.empty(num_queries, embed_dims))
        for tokens in (self.human_token, self.query_tokens):
            nn.init.trunc_normal_(tokens, std=0.02)
        self.blocks = nn.ModuleList(blocks)
        if not 0 <= keypoint_layer < len(self.blocks) - 1:
            raise ValueError(
                'keypoint_layer must be a coarse layer before the last one, from 0 to '
                f'{len(self.blocks) - 2}, got {keypoint_layer}'
            )

    def begin(self, patches: Tensor) -> CoarseState:
        """Return the first state: the human token before patches (B, N, C)."""
        batch, num_patches, _ = patches.shape
        x = torch.cat([self.human_token.expand(batch, -1, -1), patches], dim=1)
        rows = torch.arange(1, num_patches + 1, device=patches.device)
        return CoarseState(x, rows.expand(batch, -1))

    def forward(
        self, state: CoarseState, table: Tensor, counts: tuple[int, ...]
    ) -> CoarseState:
        """Run the next layers, one for each count.

        Args:
            state (CoarseState): Tokens after the layers before.
            table (Tensor): Position embeddings, (N + 1, C): a row of zeros for human
                and keypoint tokens, then one for each patch.
            counts (tuple[int]): Patches that each of the layers keeps.

        Returns:
            CoarseState: Tokens after the last of these layers.
        """
        x, rows, kept, logits = state
        for layer, count in enumerate(counts, start=len(kept)):
            block = self.blocks[layer]
            num_queries = x.shape[1] - rows.shape[1]
            positions = table[nn.functional.pad(rows, (num_queries, 0))]
            x, (queries, keys) = block.attend(x + positions)
            queries, keys = queries[:, :num_queries], keys[:, num_queries:]
            if count < rows.shape[1]:
                index = choose_patches(queries, keys, block.attn.scale, count)
                x = keep_patches(x, index, num_queries)
                rows = gather_tokens(rows, index)
                keys = gather_tokens(keys, index)
            if layer == self.keypoint_layer:
                x = torch.cat([x[:, :1] + self.query_tokens, x[:, 1:]], dim=1)
            x = block.feed_forward(x)
            kept = (*kept, rows)
        if counts:
            logits = patch_logits(queries, keys, block.attn.scale)
        return CoarseState(x, rows, kept, logits)


@torch.no_grad()
def choose_patches(queries: Tensor, keys: Tensor, scale: float, count: int) -> Tensor:
    """Choose the patches with the highest scores, pooled over all queries.

    Args:
        queries (Tensor): Queries of the tokens, (B, J, H, D).
        keys (Tensor): Keys of the patches, (B, N, H, D).
        scale (float): Factor of the logits.
        count (int): Patches to keep.

    Returns:
        Tensor: Sorted indices, (B, count).
    """
    return keep_highest(pool_logits(patch_logits(queries, keys, scale)), count)
