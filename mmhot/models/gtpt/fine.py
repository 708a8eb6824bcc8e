"""Grouping of keypoints in GTPT, and the encoder of the groups."""

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
from mmhot.models.gtpt.coarse import CoarseState
from mmhot.models.gtpt.groups import KeypointGroups
from mmhot.models.tokens.selection import gather_tokens, keep_highest


class GroupTokens(NamedTuple):
    """Tokens of each group: slots, then private ones, dense keypoints first."""

    x: Tensor  # (B * G, S + N, C)
    positions: Tensor  # added in each layer, (B * G, S + N, C)
    # Row of each private token in the table of positions, (B * G, N); 0 for dense
    # keypoints
    rows: Tensor


class CoarseToFine(nn.Module):
    """Grouping of keypoints, with dense keypoints and patches for each group.

    A gate of each group, the paper's mask, weights the channels of its patches and of
    their positions.
    """

    def __init__(self, groups: KeypointGroups, embed_dims: int) -> None:
        super().__init__()
        self.groups = groups
        self.dense_tokens = None
        if groups.num_dense:
            tokens = torch.empty(groups.num_dense, embed_dims)
            self.dense_tokens = nn.Parameter(nn.init.trunc_normal_(tokens, std=0.02))
        hidden_dims = embed_dims // 2
        self.gate = nn.Sequential(
            nn.Linear(embed_dims, hidden_dims),
            nn.ReLU(),
            nn.Linear(hidden_dims, groups.num_groups * embed_dims),
            nn.Sigmoid(),
        )

    def forward(
        self, coarse: CoarseState, table: Tensor, num_private: int
    ) -> GroupTokens:
        """Choose the private tokens of each group and gate them.

        Args:
            coarse (CoarseState): Tokens after the coarse encoder.
            table (Tensor): Position embeddings, (N + 1, C).
            num_private (int): Private tokens of a group: dense keypoints and patches.

        Returns:
            GroupTokens: Tokens of each group.
        """
        index = self.choose(coarse.logits, num_private)  # (B, G, N)
        slots, pool = self.introduce_dense(coarse)
        patch = index - self.groups.num_dense  # negative where a dense keypoint is
        gates = self.gates(coarse.patches, patch)
        rows = nn.functional.pad(coarse.rows, (self.groups.num_dense, 0))
        rows = _gather_shared(rows, index)  # (B, G, N)
        private = _gather_shared(pool, index) * gates  # (B, G, N, C)
        positions = nn.functional.pad(table[rows] * gates, (0, 0, slots.shape[2], 0))
        x = torch.cat([slots, private], dim=2)  # (B, G, S + N, C)
        return GroupTokens(x.flatten(0, 1), positions.flatten(0, 1), rows.flatten(0, 1))

    @torch.no_grad()
    def choose(self, logits: Tensor, num_private: int) -> Tensor:
        """Choose all dense keypoints of a group and its best patches.

        Args:
            logits (Tensor): Logits between query tokens and patches, (B, J, H, N).
            num_private (int): Tokens to choose for each group.

        Returns:
            Tensor: Sorted indices among dense keypoints and patches,
            (B, G, num_private).
        """
        groups = self.groups
        scores = pool_logits(logits[:, groups.scorers], groups.scorers_valid)
        dense = groups.dense_scores.expand(scores.shape[0], -1, -1)
        return keep_highest(torch.cat([dense, scores], dim=-1), num_private)

    def introduce_dense(self, coarse: CoarseState) -> tuple[Tensor, Tensor]:
        """Make tokens of dense keypoints from their parts.

        Args:
            coarse (CoarseState): Tokens after the coarse encoder.

        Returns:
            tuple[Tensor, Tensor]: Slots of the groups, (B, G, S, C), and the tokens of
            all dense keypoints, then all patches, (B, num_dense + N, C).
        """
        groups = self.groups
        pool = coarse.patches
        parts, sparse = coarse.queries.tensor_split([groups.num_parts], dim=1)
        if self.dense_tokens is not None:
            dense = parts[:, groups.part_of_dense] + self.dense_tokens
            pool = torch.cat([dense, pool], dim=1)
        return sparse[:, groups.slots].unflatten(1, (groups.num_groups, -1)), pool

    def gates(self, patches: Tensor, patch: Tensor) -> Tensor:
        """Compute the channel gates of the chosen patches.

        Args:
            patches (Tensor): All patch tokens, (B, N, C).
            patch (Tensor): Chosen patch of each private token, (B, G, n); negative for
                a dense keypoint, which is not gated.

        Returns:
            Tensor: Gates from 0 to 1, (B, G, n, C); 1 for dense keypoints.
        """
        gates = self.gate(patches).unflatten(-1, (self.groups.num_groups, -1))
        group = torch.arange(self.groups.num_groups, device=patch.device)
        index = patch.clamp(min=0) * len(group) + group[:, None]
        gates = _gather_shared(gates.flatten(1, 2), index)
        if self.dense_tokens is not None:
            gates = gates.masked_fill((patch < 0).unsqueeze(-1), 1)
        return gates


class FineEncoder(nn.Module):
    """Layers in which each group attends to all slots and its own private tokens."""

    def __init__(self, groups: KeypointGroups, blocks: Iterable[GroupBlock]) -> None:
        super().__init__()
        self.groups = groups
        self.blocks = nn.ModuleList(blocks)

    def forward(
        self, tokens: GroupTokens, counts: tuple[int, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Encode the groups.

        Args:
            tokens (GroupTokens): Tokens of each group.
            counts (tuple[int]): Private tokens that each layer keeps.

        Returns:
            tuple[Tensor, tuple[Tensor]]: Keypoint tokens, (B, K, C), and the rows of
            the private tokens that left each layer, (B, G, N).
        """
        groups = self.groups
        x, positions, rows = tokens
        rows_by_layer = []
        for block, count in zip(self.blocks, counts, strict=True):
            x, queries_keys = block.attend(x + positions, groups)
            if count < rows.shape[1]:
                index = self.choose(*queries_keys, block.attn.scale, count)
                x = keep_patches(x, index, groups.num_slots)
                positions = keep_patches(positions, index, groups.num_slots)
                rows = gather_tokens(rows, index)
            x = block.feed_forward(x)
            rows_by_layer.append(rows.unflatten(0, (-1, groups.num_groups)))
        x = x.unflatten(0, (-1, groups.num_groups))
        return groups.take_keypoints(x), tuple(rows_by_layer)

    @torch.no_grad()
    def choose(
        self, queries: Tensor, keys: Tensor, scale: float, num_private: int
    ) -> Tensor:
        """Choose dense keypoints, and the patches that a group's keypoints attend to.

        Args:
            queries (Tensor): Queries of the tokens of each group, (B * G, S + N, H, D).
            keys (Tensor): Keys of the same tokens, (B * G, S + N, H, D).
            scale (float): Factor of the logits.
            num_private (int): Private tokens to keep.

        Returns:
            Tensor: Sorted indices of private tokens, (B * G, num_private).
        """
        groups = self.groups
        valid = groups.fine_scorers_valid
        queries = queries[:, : valid.shape[1]]
        logits = patch_logits(queries, keys[:, groups.num_slots :], scale)
        scores = pool_logits(logits.unflatten(0, (-1, groups.num_groups)), valid)
        dense = valid[:, groups.num_slots :]
        dense = nn.functional.pad(dense, (0, scores.shape[-1] - dense.shape[1]))
        scores = scores.masked_fill(dense, torch.inf).flatten(0, 1)
        return keep_highest(scores, num_private)


def _gather_shared(x: Tensor, index: Tensor) -> Tensor:
    """Take tokens (B, N, ...) that all groups share, by indices (B, G, n)."""
    return gather_tokens(x, index.flatten(1)).unflatten(1, index.shape[1:])
