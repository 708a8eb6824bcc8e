"""Network of GTPT: keypoints from coarse to fine, in groups, with pruned patches.

`Group-based Token Pruning Transformer for Efficient Human Pose Estimation
<https://arxiv.org/abs/2407.10756>`_ (ECCV 2024). The package's docstring explains the
words. The slot that the published code adds to fill the first group is masked here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmhot.models.gtpt.attention import (
    GroupAttention,
    GroupBlock,
    keep_patches,
    patch_logits,
    pool_logits,
)
from mmhot.models.gtpt.groups import Group, KeypointGroups
from mmhot.models.gtpt.keep_rates import KeepRates, count_tokens
from mmhot.models.layers.blocks import sine_positions
from mmhot.models.tokens.selection import gather_tokens, keep_highest

Counts = tuple[int, ...]


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
    ``keypoint_layer``. ``positions`` (N + 1, C) has a row of zeros for human and
    keypoint tokens, then one for each patch.
    """

    def __init__(
        self,
        blocks: Iterable[GroupBlock],
        positions: Tensor,
        num_queries: int,
        keypoint_layer: int,
    ) -> None:
        super().__init__()
        embed_dims = positions.shape[1]
        self.register_buffer('positions', positions, persistent=False)
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

    def forward(self, state: CoarseState, counts: Counts) -> CoarseState:
        """Run the next layers, one for each count.

        Args:
            state (CoarseState): Tokens after the layers before.
            counts (tuple[int]): Patches that each of the layers keeps.

        Returns:
            CoarseState: Tokens after the last of these layers.
        """
        x, rows, kept, logits = state
        for layer, count in enumerate(counts, start=len(kept)):
            block = self.blocks[layer]
            num_queries = x.shape[1] - rows.shape[1]
            positions = self.positions[nn.functional.pad(rows, (num_queries, 0))]
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
        self, tokens: GroupTokens, counts: Counts
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


@dataclass(frozen=True)
class GTPTSizes:
    """Sizes of a GTPT.

    Attributes:
        embed_dims (int): Channels ``C`` of a token.
        num_heads (int): Heads of the attention.
        coarse_depth (int): Layers before keypoints are grouped.
        fine_depth (int): Layers after keypoints are grouped.
        keypoint_layer (int): Coarse layer, counted from 0, in which the human token
            becomes keypoint tokens.
        mlp_ratio (float): Hidden channels of the MLPs, as a multiple of ``embed_dims``.
        scale_by_head (bool): Whether attention is scaled by the channels of a head, as
            usual, or by ``embed_dims``, as published.
        share_slots (bool): Whether fine layers have the paper's group attention, or
            plain attention in each group.
    """

    embed_dims: int = 192
    num_heads: int = 8
    coarse_depth: int = 6
    fine_depth: int = 6
    keypoint_layer: int = 3
    mlp_ratio: float = 3.0
    scale_by_head: bool = False
    share_slots: bool = True


class GTPT(nn.Module):
    """Network of GTPT, from patch tokens of any backbone to keypoint tokens.

    Args:
        groups (Sequence): Indices of the keypoints of each group, see
            :class:`KeypointGroups`.
        grid (tuple[int, int]): Columns and rows of patches.
        in_channels (int): Channels of the backbone's tokens.
        keep_rates (Sequence[float], optional): Shares of the patches that are kept,
            each for an equal number of layers; see :attr:`keep_rates`. None keeps all.
        sizes (GTPTSizes): Sizes of the network.

    Attributes:
        kept (tuple[Tensor, ...]): Sorted indices of the patches that each layer kept in
            the last call of :meth:`forward`: (B, n) in coarse layers, (B, G, n) in fine
            layers, where dense keypoints are -1. Unlike elsewhere in mmhot they are not
            returned, so that the network maps a tensor to a tensor.

    Example::

        groups = [range(5), range(5, 11), range(11, 17)]
        gtpt = GTPT(groups, grid=(12, 16), in_channels=384, keep_rates=(1, 0.7, 0.3))
        keypoints = gtpt(tokens)  # (B, 192, 384) to (B, 17, 192)
    """

    kept: tuple[Tensor, ...] = ()

    def __init__(
        self,
        groups: KeypointGroups | Sequence[Group],
        grid: tuple[int, int],
        in_channels: int,
        keep_rates: KeepRates = None,
        sizes: GTPTSizes = GTPTSizes(),
    ) -> None:
        super().__init__()
        if not isinstance(groups, KeypointGroups):
            groups = KeypointGroups(groups)
        self.groups = groups
        self.grid = grid
        self.sizes = sizes
        self.keep_rates = keep_rates
        embed_dims = sizes.embed_dims
        head_dims = embed_dims // sizes.num_heads
        scale = (head_dims if sizes.scale_by_head else embed_dims) ** -0.5
        attention = partial(GroupAttention, embed_dims, sizes.num_heads, scale)
        dims = embed_dims, round(sizes.mlp_ratio * embed_dims)
        self.embed = nn.Linear(in_channels, embed_dims)
        columns, rows = grid
        table = sine_positions(rows, columns, embed_dims)
        table = nn.functional.pad(table, (0, 0, 1, 0))  # row 0 for tokens without one
        self.coarse_encoder = CoarseEncoder(
            (GroupBlock(attention(), *dims) for _ in range(sizes.coarse_depth)),
            table,
            self.groups.num_queries,
            sizes.keypoint_layer,
        )
        self.coarse_to_fine = CoarseToFine(self.groups, embed_dims)
        self.fine_encoder = FineEncoder(
            self.groups,
            (
                GroupBlock(attention(sizes.share_slots), *dims)
                for _ in range(sizes.fine_depth)
            ),
        )

    @property
    def keep_rates(self) -> KeepRates:
        """Shares of the patches that are kept, each for an equal number of layers.

        They can be set at any time, to numbers that do not grow, or None to keep all.
        Each layer must keep at least one patch besides its dense keypoints.
        """
        return self._keep_rates

    @keep_rates.setter
    def keep_rates(self, keep_rates: KeepRates) -> None:
        self.counts = self.count_tokens(keep_rates)
        self._keep_rates = keep_rates

    def count_tokens(self, keep_rates: KeepRates) -> Counts:
        """Return the private tokens of each layer; see :func:`count_tokens`."""
        columns, rows = self.grid
        return count_tokens(
            keep_rates,
            num_patches=rows * columns,
            depth=self.sizes.coarse_depth + self.sizes.fine_depth,
            first_grouped=self.sizes.coarse_depth,
            num_dense=max(self.groups.dense_counts),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Map patch tokens (B, N, in_channels), row by row, to keypoints (B, K, C)."""
        keypoints, self.kept = self.encode(self.embed(tokens), self.counts)
        return keypoints

    def encode(
        self, patches: Tensor, counts: Counts
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Encode patch tokens.

        Args:
            patches (Tensor): Patch tokens, (B, N, C).
            counts (tuple[int]): Private tokens that each layer keeps.

        Returns:
            tuple[Tensor, tuple[Tensor, ...]]: Keypoint tokens, (B, K, C), and sorted
            indices of the patches that each layer kept: (B, n) in coarse layers,
            (B, G, n) in fine layers, where dense keypoints are -1.
        """
        tokens, kept, _ = self.encode_from(self.coarse_encoder.begin(patches), counts)
        return tokens, tuple(rows - 1 for rows in kept)

    def encode_from(
        self, state: CoarseState, counts: Counts
    ) -> tuple[Tensor, tuple[Tensor, ...], Tensor]:
        """Run the layers after a state.

        Returns:
            tuple: Keypoint tokens (B, K, C); rows in the table of positions of the
            patches that each layer kept; and the last coarse layer's logits between
            keypoint tokens and patches, (B, J, H, N).
        """
        coarse_counts = counts[len(state.kept) : self.sizes.coarse_depth]
        fine_counts = counts[self.sizes.coarse_depth :]
        coarse = self.coarse_encoder(state, coarse_counts)
        table = self.coarse_encoder.positions
        grouped = self.coarse_to_fine(coarse, table, fine_counts[0])
        tokens, kept = self.fine_encoder(grouped, fine_counts)
        return tokens, coarse.kept + kept, coarse.logits
