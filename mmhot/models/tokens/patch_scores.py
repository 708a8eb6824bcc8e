"""Scores of image patches."""

import torch
from torch import Tensor


def patch_logits(queries: Tensor, keys: Tensor, scale: float) -> Tensor:
    """Return the attention logits between the tokens that judge and the patches.

    Args:
        queries (Tensor): Queries of the tokens that judge, (..., R, H, D).
        keys (Tensor): Keys of the patches, (..., N, H, D).
        scale (float): What the logits are multiplied by in the attention.

    Returns:
        Tensor: Logits, (..., R, H, N).
    """
    queries = queries.transpose(-3, -2) * scale
    logits = queries @ keys.movedim(-3, -1)  # (..., H, R, N)
    return logits.transpose(-3, -2)


def pool_logits(logits: Tensor, valid: Tensor | None = None) -> Tensor:
    """Score patches: the mean of a patch's logits, weighted by their own softmax.

    Args:
        logits (Tensor): Logits of R queries and H heads, (..., R, H, N).
        valid (Tensor, optional): Which queries count, (..., R). Defaults to None: all.

    Returns:
        Tensor: Scores, (..., N).
    """
    exponents = logits
    if valid is not None:
        exponents = logits.masked_fill(~valid[..., None, None], -torch.inf)
    weights = exponents.flatten(-3, -2).softmax(dim=-2)
    return (weights * logits.flatten(-3, -2)).sum(dim=-2)
