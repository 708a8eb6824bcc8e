"""Two streams of tokens made one."""

import torch
from torch import Tensor, nn


def fuse_streams(fusion: nn.Linear, first: Tensor, second: Tensor) -> Tensor:
    """Average two streams with weights that each token chooses.

    Args:
        fusion (nn.Linear): Maps both streams' channels, 2 * C, to two logits.
        first (Tensor): (..., C).
        second (Tensor): (..., C).

    Returns:
        Tensor: (..., C).
    """
    weights = fusion(torch.cat([first, second], -1)).softmax(-1)
    # in mixed precision the streams have more digits than the weights
    return torch.lerp(second, first, weights[..., :1].to(first.dtype))
