"""A pruner that learns which frames to keep, by straight-through Gumbel scores."""

import torch
from mmpose.registry import MODELS
from torch import Tensor, nn

from mmhot.tokens import Frames, Pruner


@MODELS.register_module()
class GumbelPruner(Pruner):
    """Keep the frames of the highest learned scores; see :class:`Pruner`.

    In training, Gumbel noise on the scores lets other frames be tried. Kept tokens are
    multiplied by one, with the gradient of the frame's probability: frames that reduce
    the loss get higher scores.

    Args:
        embed_dims (int): Channels of the features of a frame.
        temperature (float): Scale of the scores, at which probabilities are computed.
    """

    def __init__(
        self,
        num_keep: int,
        depth: int,
        embed_dims: int,
        temperature: float = 1.0,
        keep_center: bool = False,
    ) -> None:
        super().__init__(num_keep, depth, keep_center)
        self.temperature = temperature
        self.scorer = nn.Sequential(
            nn.LayerNorm(embed_dims), nn.Linear(embed_dims, 1), nn.Flatten(-2)
        )

    def score(self, frames: Frames) -> Tensor:
        """Score frames by their features, (B, T)."""
        scores = self.scorer(frames.features)
        if not self.training:
            return scores
        noise = -torch.empty_like(scores).exponential_().log()
        return scores + self.temperature * noise

    def weigh(self, scores: Tensor) -> Tensor:
        """Return ones (B, T) with the gradients of the frames' probabilities."""
        soft = (scores / self.temperature).sigmoid()
        return 1 + (soft - soft.detach())
