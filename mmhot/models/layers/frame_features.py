"""What a pruner compares frames by."""

from torch import Tensor


def mean_keypoint(x: Tensor) -> Tensor:
    """Describe each frame of ``(B, T, K, C)`` by its mean keypoint, (B, T, C)."""
    return x.mean(2)
