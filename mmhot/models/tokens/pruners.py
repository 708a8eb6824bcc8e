"""Frame pruners: by clusters, by attention, by motion and at equal distances.

All are from the `Hourglass Tokenizer <https://arxiv.org/abs/2311.12028>`_ (HoT, CVPR
2024) and `H2OT <https://arxiv.org/abs/2509.06956>`_ (TPAMI 2025). Unlike the published
code, evaluation adds no noise, distances are exactly symmetric, and ties between scores
are broken by the lower index.
"""

from typing import NamedTuple

import torch
from mmpose.registry import MODELS
from torch import Tensor, nn

from mmhot.models.tokens.selection import (
    keep_highest,
    pairwise_distances,
    spread_frames,
)


class Frames(NamedTuple):
    """Input of a pruner: the frames that are left."""

    features: Tensor  # features of each frame, (B, T, F)
    poses: Tensor  # input of the backbone, (B, T, K, C)
    # Attention that each frame receives in the last temporal block, (B, T). None unless
    # the pruner sets `reads_attention`.
    received: Tensor | None
    center: Tensor  # index of the window's center frame among these frames, (B,)


class Pruner(nn.Module):
    """Base class of pruners (H2OT's TPM): keep the frames with the highest scores.

    A subclass implements :meth:`score` and is registered in ``MODELS``. It sets
    ``reads_attention`` if it needs ``Frames.received``.

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

    @torch.no_grad()
    def forward(self, frames: Frames, num_keep: int | None = None) -> Tensor:
        """Choose frames by score.

        Args:
            frames (Frames): The frames that are left.
            num_keep (int, optional): Frames to keep, instead of the constructor's.

        Returns:
            Tensor: Sorted indices, (B, num_keep).
        """
        scores = self.score(frames)
        if self.keep_center:
            scores = scores.scatter(1, frames.center[:, None], torch.inf)
        return keep_highest(scores, num_keep or self.num_keep)

    def score(self, frames: Frames) -> Tensor:
        """Score each frame, (B, T); frames with higher scores are kept."""
        raise NotImplementedError


@MODELS.register_module()
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


@MODELS.register_module()
class AttentionPruner(Pruner):
    """Token pruning attention (TPA): frames that receive the most attention."""

    reads_attention = True

    def score(self, frames: Frames) -> Tensor:
        """Return the attention received in the temporal block before, (B, T)."""
        return frames.received


@MODELS.register_module()
class MotionPruner(Pruner):
    """Token pruning motion (TPMo): frames with the largest motion of the 2D input."""

    def score(self, frames: Frames) -> Tensor:
        """Sum the motion of keypoints since the last frame, 0 for the first, (B, T)."""
        motion = frames.poses[..., :2].diff(dim=1).abs().sum((2, 3))
        return torch.cat([torch.zeros_like(motion[:, :1]), motion], dim=1)


@MODELS.register_module()
class UniformPruner(Pruner):
    """Token pruning sampling (TPS): frames at equal distances, both ends included.

    With ``keep_center`` the center frame replaces the nearest sample.
    """

    @torch.no_grad()
    def forward(self, frames: Frames, num_keep: int | None = None) -> Tensor:
        """Choose frames, (B, num_keep); see :class:`Pruner`."""
        batch, num_frames = frames.features.shape[:2]
        device = frames.features.device
        index = spread_frames(num_frames, num_keep or self.num_keep, device)
        index = index.expand(batch, -1)
        if not self.keep_center:
            return index
        center = frames.center[:, None]
        nearest = (index - center).abs().argmin(1, keepdim=True)
        return index.scatter(1, nearest, center)
