"""Stochastic depth."""

import torch
from torch import Tensor, nn


class DropPath(nn.Module):
    """Drop the whole value of a sample, at random, while training.

    It differs from mmcv's in two ways that matter on a CPU: survivors are scaled
    by the mask itself, one pass over the data instead of two, and :meth:`add`
    joins that pass with the residual sum.

    Args:
        drop_prob (float): Probability that a sample is dropped; survivors are
            scaled by ``1 / (1 - drop_prob)``. Defaults to 0.
    """

    def __init__(self, drop_prob: float = 0.0) -> None:
        super().__init__()
        if not 0 <= drop_prob < 1:
            raise ValueError(f'drop_prob must be in [0, 1), got {drop_prob}')
        self.drop_prob = drop_prob

    def forward(self, x: Tensor) -> Tensor:
        """Drop samples along the first axis of ``(B, ...)``."""
        return x * self._mask(x) if self._is_active() else x

    def add(self, x: Tensor, branch: Tensor) -> Tensor:
        """Residual sum ``x + forward(branch)`` of two ``(B, ...)`` tensors."""
        if not self._is_active():
            return x + branch
        return torch.addcmul(x, branch, self._mask(branch))

    def _is_active(self) -> bool:
        return self.training and self.drop_prob > 0

    def _mask(self, x: Tensor) -> Tensor:
        keep_prob = 1 - self.drop_prob
        mask = x.new_empty(x.shape[0], *[1] * (x.ndim - 1))
        return mask.bernoulli_(keep_prob).div_(keep_prob)

    def extra_repr(self) -> str:
        """Show the rate."""
        return f'drop_prob={self.drop_prob:g}'
