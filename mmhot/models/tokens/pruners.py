"""Pruners: which frames of a sequence go on.

All have one interface: they see :class:`Frames` and return sorted frame indices.
`Hourglass Tokenizer <https://arxiv.org/abs/2311.12028>`_ (HoT, CVPR 2024) chooses by
clusters and compares with the others; `H2OT <https://arxiv.org/abs/2509.06956>`_
(TPAMI 2025) has them all. What the published code leaves to chance is decided here:
evaluation has no noise, distances are exactly symmetric, ties go to the lower index.
"""

from typing import NamedTuple

import torch
from mmpose.registry import MODELS
from torch import Tensor, nn

from mmhot.models.layers.execution import full_precision
from mmhot.models.tokens.selection import keep_highest


class Frames(NamedTuple):
    """What a pruner may look at, for the frames that are still there.

    Args:
        features (Tensor): What the host takes for a frame's features, (B, T, F).
        poses (Tensor): The network's input, (B, T, K, C).
        received (Tensor | None): Attention that a frame receives in the last temporal
            block, (B, T); None unless the pruner's ``reads_attention``.
        center (Tensor): Where among them the center frame is, (B,).
    """

    features: Tensor
    poses: Tensor
    received: Tensor | None
    center: Tensor


class Pruner(nn.Module):
    """Keeps the frames of highest score.

    Args:
        num_keep (int): Frames to keep.
        depth (int): The layer before which to prune, from 0.
        keep_center (bool): Whether the center frame always stays. Defaults to False.
    """

    reads_attention = False

    def __init__(self, num_keep: int, depth: int, keep_center: bool = False) -> None:
        super().__init__()
        self.num_keep, self.depth, self.keep_center = num_keep, depth, keep_center

    @torch.no_grad()
    def forward(self, frames: Frames, num_keep: int | None = None) -> Tensor:
        """Choose frames.

        Args:
            frames (Frames): The frames to choose from.
            num_keep (int, optional): How many to keep instead of ``self.num_keep``.

        Returns:
            Tensor: Sorted indices into the frames, (B, num_keep).
        """
        scores = self.score(frames)
        if self.keep_center:
            scores = scores.scatter(1, frames.center[:, None], torch.inf)
        return keep_highest(scores, num_keep or self.num_keep)

    def score(self, frames: Frames) -> Tensor:
        """Score each frame, (B, T)."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        """Show the settings."""
        return (
            f'num_keep={self.num_keep}, depth={self.depth}, '
            f'keep_center={self.keep_center}'
        )


@MODELS.register_module()
class ClusterPruner(Pruner):
    """Token pruning cluster (TPC): frames in the middle of clusters of features.

    Density-peak clustering: a frame's score is its density among its nearest
    neighbors times its distance to the next denser frame.

    Args:
        num_keep (int): Frames to keep.
        depth (int): The layer before which to prune, from 0.
        keep_center (bool): Whether the center frame always stays. Defaults to False.
        num_neighbors (int): Neighbors that make up the density, the frame itself
            included. Defaults to 2.
        noise (float): Added to densities in training, times uniform random numbers;
            the published code has 1e-6, also in evaluation. Defaults to 0.
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
        self.num_neighbors, self.noise = num_neighbors, noise

    def score(self, frames: Frames) -> Tensor:
        """Multiply density and distance to something denser, (B, T)."""
        distance = pairwise_distances(frames.features)
        nearest = distance.topk(
            min(self.num_neighbors, distance.shape[-1]), largest=False
        )
        density = (-nearest.values.square().mean(-1)).exp()
        if self.training and self.noise:
            density = density + self.noise * torch.rand_like(density)
        return density * self._separation(distance, density)

    @staticmethod
    def _separation(distance: Tensor, density: Tensor) -> Tensor:
        """Distance to the nearest frame that is denser, or equal and earlier."""
        own, other = density[:, :, None], density[:, None, :]
        index = torch.arange(density.shape[-1], device=density.device)
        earlier = index[None, :] < index[:, None]
        # mutual nearest neighbors have equal densities, so ties are the rule
        denser = (other > own) | ((other == own) & earlier)
        farthest = distance.amax((1, 2), keepdim=True)
        return distance.where(denser, farthest).amin(-1)


@MODELS.register_module()
class AttentionPruner(Pruner):
    """Token pruning attention (TPA): frames that others look at most."""

    reads_attention = True

    def score(self, frames: Frames) -> Tensor:
        """Attention received in the last temporal block before, (B, T)."""
        return frames.received


@MODELS.register_module()
class MotionPruner(Pruner):
    """Token pruning motion (TPMo): frames with the largest motion of the 2D input."""

    def score(self, frames: Frames) -> Tensor:
        """Motion since the frame before, of which the first has none, (B, T)."""
        motion = frames.poses[..., :2].diff(dim=1).abs().sum((2, 3))
        return torch.cat([torch.zeros_like(motion[:, :1]), motion], dim=1)


@MODELS.register_module()
class UniformPruner(Pruner):
    """Token pruning sampling (TPS): frames at equal distances, both ends included."""

    @torch.no_grad()
    def forward(self, frames: Frames, num_keep: int | None = None) -> Tensor:
        """Choose frames; see :class:`Pruner`."""
        batch, num_frames = frames.features.shape[:2]
        index = spread_frames(num_frames, num_keep or self.num_keep)
        index = index.to(frames.features.device).expand(batch, -1)
        if not self.keep_center:
            return index
        # the sample nearest to the center gives way to it
        center = frames.center[:, None]
        nearest = (index - center).abs().argmin(1, keepdim=True)
        return index.scatter(1, nearest, center)


def pairwise_distances(features: Tensor) -> Tensor:
    """Euclidean distances over the root of the number of features.

    Exactly symmetric and zero on the diagonal, and accurate to float32's rounding,
    which the usual expansion of squares is only in float64.

    Args:
        features (Tensor): (B, T, F).

    Returns:
        Tensor: Float32, (B, T, T).
    """
    features = features.double()
    # distances do not depend on the mean, but their digits do
    features = features - features.mean(1, keepdim=True)
    with full_precision(features):
        products = _upper_products(features)
    squares = products.diagonal(dim1=1, dim2=2)
    squares = squares[:, :, None] + squares[:, None, :]
    squared = squares - 2 * products
    # of equal frames rounding would leave some distance, by the place in a product
    squared = squared.where(squared > 1e-13 * squares, 0)
    distance = (squared / features.shape[-1]).sqrt().float().triu(1)
    return distance + distance.mT


def _upper_products(x: Tensor) -> Tensor:
    """Products of tokens (B, T, F) with themselves and later ones, (B, T, T).

    What is below the diagonal is of no use. Most of it has not been computed.
    """
    step = max(64, -(-x.shape[1] // 4))
    rows = [
        nn.functional.pad(x[:, first : first + step] @ x[:, first:].mT, (first, 0))
        for first in range(0, x.shape[1], step)
    ]
    return torch.cat(rows, dim=1)


def spread_frames(num_frames: int, num_keep: int) -> Tensor:
    """Indices ``s * (T - 1) / (num_keep - 1)``, rounded half up; of one, the center.

    Args:
        num_frames (int): Frames ``T``.
        num_keep (int): Frames wanted, from 1 to ``T``.

    Returns:
        Tensor: Ascending indices, (num_keep,).
    """
    if not 1 <= num_keep <= num_frames:
        raise ValueError(f'num_keep must be from 1 to {num_frames}, got {num_keep}')
    if num_keep == 1:
        return torch.tensor([(num_frames - 1) // 2])
    steps, gaps = torch.arange(num_keep), num_keep - 1
    return (2 * steps * (num_frames - 1) + gaps) // (2 * gaps)
