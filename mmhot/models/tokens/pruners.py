"""Frame pruners: by clusters, by attention, by motion and at equal distances.

All are from the `Hourglass Tokenizer <https://arxiv.org/abs/2311.12028>`_ (HoT, CVPR
2024) and `H2OT <https://arxiv.org/abs/2509.06956>`_ (TPAMI 2025). Unlike the published
code, evaluation adds no noise, distances are exactly symmetric, and ties between scores
are broken by the lower index.
"""

from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mmhot.errors import ArgumentError
from mmhot.models.tokens.selection import (
    keep_highest,
    pairwise_distances,
    spread_frames,
)

Keep = int | Sequence[int]
"""Frames to keep: one number, or one for each pruner."""


class Frames(NamedTuple):
    """Input of a pruner: the frames that are left."""

    features: Tensor  # features of each frame, (B, T, F)
    poses: Tensor | None  # input of the backbone, (B, T, K, C); None if not known
    # Attention that each frame receives in the last temporal block, (B, T). None unless
    # the pruner sets `reads_attention`.
    received: Tensor | None
    center: Tensor  # index of the window's center frame among these frames, (B,)


class Pruner(nn.Module):
    """Base class of pruners (H2OT's TPM): keep the frames with the highest scores.

    A subclass implements :meth:`score`. It sets ``reads_attention`` if it needs
    ``Frames.received``. A pruner with parameters also implements :meth:`weigh`: it
    learns by the gradients of the weights, as indices have none.

    Args:
        num_keep (int): Frames to keep.
        depth (int): Layer before which to prune, counted from 0.
        keep_center (bool): Whether the center frame is always kept.
    """

    reads_attention = False

    def __init__(self, num_keep: int, depth: int, keep_center: bool = False) -> None:
        super().__init__()
        self.num_keep = num_keep
        self.depth = depth
        self.keep_center = keep_center

    @property
    def is_learned(self) -> bool:
        """Whether kept tokens are multiplied by weights, which have gradients."""
        return type(self).weigh is not Pruner.weigh

    def forward(
        self, frames: Frames, num_keep: int | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Choose frames by score.

        Args:
            frames (Frames): The frames that are left.
            num_keep (int, optional): Frames to keep, instead of the constructor's.

        Returns:
            tuple[Tensor, Tensor | None]: Sorted indices, (B, num_keep), and the weights
            of all frames, (B, T), if the pruner has weights.
        """
        scores = self.score(frames)
        weights = self.weigh(scores)
        if self.keep_center:
            scores = scores.scatter(1, frames.center[:, None], torch.inf)
        return keep_highest(scores.detach(), num_keep or self.num_keep), weights

    def score(self, frames: Frames) -> Tensor:
        """Score each frame, (B, T); frames with higher scores are kept."""
        raise NotImplementedError

    def weigh(self, scores: Tensor) -> Tensor | None:
        """Map scores (B, T) to weights by which kept tokens are multiplied, (B, T)."""
        return None


class ClusterPruner(Pruner):
    """Token pruning cluster (TPC): density-peak clustering of frame features.

    The score of a frame is its density among its nearest neighbors times its distance
    to the nearest frame of higher density. For other arguments see :class:`Pruner`.

    Args:
        num_neighbors (int): Neighbors that define the density, including the frame
            itself.
        noise (float): Scale of the uniform noise added to densities in training. The
            published code adds 1e-6, also in evaluation.
    """

    def __init__(
        self,
        num_keep: int,
        depth: int,
        keep_center: bool = False,
        num_neighbors: int = 2,
        noise: float = 0.0,
    ) -> None:
        super().__init__(num_keep, depth, keep_center)
        if num_neighbors < 2:
            raise ValueError(
                f'num_neighbors counts the frame itself and must be at least 2, got '
                f'{num_neighbors}'
            )
        self.num_neighbors = num_neighbors
        self.noise = noise

    def score(self, frames: Frames) -> Tensor:
        """Multiply density and separation, (B, T).

        With distances ``d_ij`` between frames, the score is ``rho_i * delta_i``. The
        density is ``rho_i = exp(-mean of d_ij ** 2 over the k nearest j)``. The
        separation is ``delta_i = min of d_ij over the denser j``, or the largest of all
        distances if no frame is denser.
        """
        distance = pairwise_distances(frames.features)
        count = min(self.num_neighbors, distance.shape[-1])
        nearest = distance.topk(count, largest=False).values
        density = (-nearest.square().mean(-1)).exp()
        if self.training and self.noise:
            density = density + self.noise * torch.rand_like(density)
        return density * self._separation(distance, density)

    @staticmethod
    def _separation(distance: Tensor, density: Tensor) -> Tensor:
        """Compute the distance to the nearest denser frame.

        Distances are (B, T, T), densities and the result (B, T).
        """
        own = density[:, :, None]
        other = density[:, None, :]
        index = torch.arange(density.shape[-1], device=density.device)
        earlier = index[None, :] < index[:, None]
        # Of equally dense frames the earlier one counts as denser. They are frequent,
        # as mutual nearest neighbors have equal densities.
        denser = (other > own) | ((other == own) & earlier)
        farthest = distance.amax((1, 2), keepdim=True)
        return distance.where(denser, farthest).amin(-1)


class AttentionPruner(Pruner):
    """Token pruning attention (TPA): frames that receive the most attention."""

    reads_attention = True

    def score(self, frames: Frames) -> Tensor:
        """Return the attention received in the temporal block before, (B, T)."""
        return frames.received


class MotionPruner(Pruner):
    """Token pruning motion (TPMo): frames with the largest motion of the 2D input."""

    def score(self, frames: Frames) -> Tensor:
        """Sum the motion of keypoints since the last frame, 0 for the first, (B, T)."""
        if frames.poses is None:
            raise ValueError('MotionPruner needs the input poses, (B, T, K, C)')
        motion = frames.poses[..., :2].diff(dim=1).abs().sum((2, 3))
        return torch.cat([torch.zeros_like(motion[:, :1]), motion], dim=1)


class UniformPruner(Pruner):
    """Token pruning sampling (TPS): frames at equal distances, both ends included.

    With ``keep_center`` the center frame replaces the nearest sample.
    """

    def forward(
        self, frames: Frames, num_keep: int | None = None
    ) -> tuple[Tensor, None]:
        """Choose frames, (B, num_keep); see :class:`Pruner`."""
        batch, num_frames = frames.features.shape[:2]
        device = frames.features.device
        index = spread_frames(num_frames, num_keep or self.num_keep, device)
        index = index.expand(batch, -1)
        if not self.keep_center:
            return index, None
        center = frames.center[:, None]
        nearest = (index - center).abs().argmin(1, keepdim=True)
        return index.scatter(1, nearest, center), None


def check_pruners(pruners: Sequence[Pruner], num_frames: int, num_layers: int) -> None:
    """Check that pruners fit each other and their host.

    Args:
        pruners (Sequence[Pruner]): Pruners, from shallow to deep.
        num_frames (int): Frames ``T`` of a window.
        num_layers (int): Layers of the host.

    Raises:
        ValueError: If they do not fit, or have parameters that would not be trained.
    """
    for pruner in pruners:
        name = type(pruner).__name__
        first = int(pruner.reads_attention)
        if pruner.depth not in range(first, num_layers):
            raise ValueError(
                f'depth of {name}, the layer before which it prunes, must be from '
                f'{first} to {num_layers - 1}, got {pruner.depth}'
            )
        if any(True for _ in pruner.parameters()) and not pruner.is_learned:
            raise ValueError(
                f'the parameters of {name} would not be trained: implement weigh, '
                'whose weights bring them gradients'
            )
    depths = [pruner.depth for pruner in pruners]
    if any(first >= second for first, second in pairwise(depths)):
        raise ValueError(f'depth must rise from pruner to pruner, got {depths}')
    count_kept(pruners, None, num_frames)


def count_kept(
    pruners: Sequence[Any],
    keep: Keep | None,
    num_frames: int,
    fixed_lengths: bool = False,
) -> list[int]:
    """Return how many frames each pruner keeps.

    Args:
        pruners (Sequence[Pruner]): Pruners, from shallow to deep.
        keep (int or Sequence[int], optional): Numbers instead of their ``num_keep``.
        num_frames (int): Frames ``T`` of the window.
        fixed_lengths (bool): Whether numbers must be ``num_keep``.

    Raises:
        ValueError: If the numbers do not fit the pruners or the window.
    """
    built = [pruner.num_keep for pruner in pruners]
    if keep is None:
        return _check_counts(built, num_frames, 'num_keep')
    if not built:
        raise ArgumentError('{keep=%r} needs a pruner, and this model has none', keep)
    keeps = list(keep) if isinstance(keep, Sequence) else [keep]
    if len(keeps) != len(built):
        raise ArgumentError(
            '{keep} must be one number for each pruner (%s), got %r', len(built), keep
        )
    if fixed_lengths and keeps != built:
        raise ArgumentError(
            '{keep=%r} is not possible: the layers of this model are built for %s '
            'kept frames',
            keep,
            ', '.join(map(str, built)),
        )
    return _check_counts(keeps, num_frames, 'keep')


def _check_counts(keeps: Sequence[Any], num_frames: int, name: str) -> list[int]:
    """Return counts of kept frames; raise unless they fall, from ``T`` or less to 1."""
    most = num_frames
    for keep in keeps:
        is_count = isinstance(keep, Integral) and not isinstance(keep, bool)
        if not (is_count and 1 <= keep <= most):
            raise ArgumentError(
                f'{{{name}}} must be from 1 to %s, got %r for %s frames',
                most,
                keep,
                num_frames,
            )
        most = keep - 1
    return [int(keep) for keep in keeps]
