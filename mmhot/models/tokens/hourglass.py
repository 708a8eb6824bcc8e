"""Hourglass: prune frames between the layers of a host, and recover them at the end.

`Hourglass Tokenizer <https://arxiv.org/abs/2311.12028>`_ (HoT, CVPR 2024) and, with
several prune depths, the pyramids of `H2OT <https://arxiv.org/abs/2509.06956>`_ (TPAMI
2025).
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmhot.models.tokens.pruners import (
    Frames,
    Keep,
    Pruner,
    check_pruners,
    count_kept,
)
from mmhot.models.tokens.recoverers import InterpolationRecoverer, TokenRecoverer
from mmhot.models.tokens.selection import gather_tokens


class Hourglass(nn.Module):
    """Run a host's layers, prune frames before some of them, and recover the frames.

    Without a pruner it has no parameters and only runs the layers. With a recoverer of
    tokens it adds a learned embedding to the kept tokens, by their order. Without a
    recoverer all pruners keep the center frame.

    Args:
        num_frames (int): Frames ``T`` of a window.
        num_layers (int): Layers of the host.
        pruner (Pruner | Sequence[Pruner]): Pruners, from shallow to deep.
        recoverer (TokenRecoverer | InterpolationRecoverer, optional): Recoverer of all
            frames.
        fixed_lengths (bool): Whether layers accept only the number of frames that they
            were built for.

    Raises:
        ValueError: If pruners do not fit each other or the host.
    """

    def __init__(
        self,
        num_frames: int,
        num_layers: int,
        pruner: Pruner | Sequence[Pruner] = (),
        recoverer: TokenRecoverer | InterpolationRecoverer | None = None,
        fixed_lengths: bool = False,
    ) -> None:
        super().__init__()
        pruners = [pruner] if isinstance(pruner, Pruner) else [*pruner]
        check_pruners(pruners, num_frames, num_layers)
        for pruner in pruners:
            pruner.keep_center |= recoverer is None
        self.pruners = nn.ModuleList(pruners)
        self.num_frames = num_frames
        self.num_layers = num_layers
        self.fixed_lengths = fixed_lengths
        self.recoverer: Any = recoverer
        self.slot_embeddings = nn.ParameterList(
            nn.Parameter(recoverer.initial_slots(pruner.num_keep))
            for pruner in pruners
            if isinstance(recoverer, TokenRecoverer)
        )

    @property
    def recovers_tokens(self) -> bool:
        """Whether all frames are recovered before the head."""
        return isinstance(self.recoverer, TokenRecoverer)

    @property
    def num_outputs(self) -> int:
        """Frames that always have a pose: all, or only the center one."""
        is_whole = not self.pruners or self.recoverer is not None
        return self.num_frames if is_whole else 1

    @property
    def lengths(self) -> list[int]:
        """Number of frames in each layer, ``num_layers`` numbers."""
        lengths = [self.num_frames] * self.num_layers
        for pruner in self.pruners:
            lengths[pruner.depth :] = [pruner.num_keep] * (
                self.num_layers - pruner.depth
            )
        return lengths

    def forward(
        self,
        x: Tensor,
        layers: Sequence[Callable],
        frame_features: Callable[[Tensor], Tensor],
        poses: Tensor | None = None,
        kept: Sequence[Tensor] | None = None,
        keep: Keep | None = None,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run the layers.

        Args:
            x (Tensor): Tokens, (B, T, ..., C).
            layers (Sequence[Callable]): See :meth:`Host.get_layers`.
            frame_features (Callable): Maps tokens to features of frames, (B, t, F).
            poses (Tensor, optional): Input of the host, (B, T, K, C).
            kept (Sequence[Tensor], optional): Indices of the frames that each pruner
                must keep, (B, t), from an earlier call. By default pruners choose.
            keep (int or Sequence[int], optional): Number of frames that each pruner
                keeps, instead of its ``num_keep``.

        Returns:
            tuple[Tensor, tuple[Tensor]]: Tokens after the last layer, (B, t, ..., C),
            and the indices of the frames that each pruner kept, (B, t).
        """
        batch, num_frames = x.shape[:2]
        keeps = self.keep_counts(keep, num_frames)
        index = torch.arange(num_frames, device=x.device).expand(batch, -1)
        kept_by_pruner = []
        first = 0  # first layer that has not run yet
        for place, pruner in enumerate(self.pruners):
            received = None
            watched = pruner.depth - int(pruner.reads_attention)
            for layer in layers[first:watched]:
                x = layer(x)
            if pruner.reads_attention:
                x, received = layers[watched].watch(x)
            if kept is None:
                inputs = poses  # all of them, then those that are left, (B, t, K, C)
                if place and poses is not None:
                    inputs = gather_tokens(poses, index)
                center = find_center(index, num_frames)
                frames = Frames(frame_features(x), inputs, received, center)
                x, slots = self.prune(place, x, frames, keeps[place])
            else:
                slots = torch.searchsorted(index.contiguous(), kept[place])
                x = self.keep_slots(place, x, slots)
            index = index.gather(1, slots)
            first = pruner.depth
            kept_by_pruner.append(index)
        for layer in layers[first:]:
            x = layer(x)
        return x, tuple(kept_by_pruner)

    def prune(
        self, place: int, x: Tensor, frames: Frames, num_keep: int
    ) -> tuple[Tensor, Tensor]:
        """Let a pruner choose frames.

        Args:
            place (int): Place of the pruner.
            x (Tensor): Tokens of the frames that are left, (B, T, ..., C).
            frames (Frames): What the pruner sees of them.
            num_keep (int): Frames to keep.

        Returns:
            tuple[Tensor, Tensor]: Tokens (B, num_keep, ..., C) and sorted indices
            (B, num_keep) of the chosen frames.
        """
        pruner = self.pruners[place]
        if not pruner.is_learned:
            frames = frames._replace(features=frames.features.detach())
        slots, weights = pruner(frames, num_keep)
        return self.keep_slots(place, x, slots, weights), slots

    def keep_slots(
        self, place: int, x: Tensor, slots: Tensor, weights: Tensor | None = None
    ) -> Tensor:
        """Keep frames of tokens (B, T, ..., C) by index, (B, t), and embed their order.

        ``weights`` of all frames, (B, T), multiply the tokens.
        """
        x = gather_tokens(x, slots)
        middle = [1] * (x.ndim - 3)  # axes between frames and channels
        if weights is not None:
            weights = weights.gather(1, slots).to(x.dtype)
            x = x * weights.reshape(*x.shape[:2], *middle, 1)
        if self.recovers_tokens:
            table = resample_slots(self.slot_embeddings[place], x.shape[1])
            x = x + table.reshape(len(table), *middle, -1)
        return x

    def keep_counts(self, keep: Keep | None, num_frames: int) -> list[int]:
        """Return how many frames each pruner keeps.

        Args:
            keep (int or Sequence[int], optional): Numbers instead of ``num_keep``.
            num_frames (int): Frames ``T`` of the window.

        Raises:
            ValueError: If the numbers do not fit the pruners or the window.
        """
        return count_kept(self.pruners, keep, num_frames, self.fixed_lengths)


def resample_slots(table: Tensor, count: int) -> Tensor:
    """Interpolate an embedding (t, C) over time for another number of slots."""
    if len(table) == count:
        return table
    return nn.functional.interpolate(
        table.T[None], count, mode='linear', align_corners=True
    )[0].T


def find_center(index: Tensor, num_frames: int) -> Tensor:
    """Return the place of the window's center frame among frames (B, t), or 0, (B,)."""
    return (index == (num_frames - 1) // 2).int().argmax(1)
