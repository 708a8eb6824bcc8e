"""Selection of tokens: by score, at equal distances, and their distances."""

import torch
from torch import Tensor, nn

from mmhot.models.layers.blocks import full_precision


def keep_highest(scores: Tensor, num_keep: int) -> Tensor:
    """Choose the tokens of highest score (..., N), of equal scores the earlier ones.

    Indices (..., num_keep) are in ascending order.
    """
    # topk leaves the order of equal scores to the device
    order = scores.sort(dim=-1, descending=True, stable=True).indices
    return order[..., :num_keep].sort(dim=-1).values


def gather_tokens(x: Tensor, index: Tensor) -> Tensor:
    """Gather tokens (..., N, *rest) by indices (..., n), (..., n, *rest)."""
    num_tokens, rest = x.shape[index.ndim - 1], x.shape[index.ndim :]
    first = torch.arange(index[..., 0].numel(), device=index.device) * num_tokens
    flat_index = (index.reshape(first.shape[0], -1) + first[:, None]).flatten()
    # whole tokens: torch.gather would look up every element
    tokens = x.reshape(-1, *rest).index_select(0, flat_index)
    return tokens.reshape(*index.shape, *rest)


def spread_frames(
    num_frames: int, num_keep: int, device: torch.device | None = None
) -> Tensor:
    """Spread rising indices evenly, both ends included; a single one is the center.

    Index ``s`` is ``s * (T - 1) / (num_keep - 1)``, rounded half up.
    """
    if num_keep == 1:
        return torch.full((1,), (num_frames - 1) // 2, device=device)
    steps, gaps = torch.arange(num_keep, device=device), num_keep - 1
    return (2 * steps * (num_frames - 1) + gaps) // (2 * gaps)


def pairwise_distances(features: Tensor) -> Tensor:
    """Compute distances (B, T, T) of features (B, T, F), over the root of ``F``.

    They are exactly symmetric, zero on the diagonal and between equal frames, and
    accurate to the rounding of float32. Mutual nearest neighbors have exactly equal
    densities, 52 to 58 of 243 frames in the published fixtures: ``|a|^2 - 2ab + |b|^2``
    in float32 breaks these ties, so that other frames are kept. Float64 keeps them, in
    a tenth of the time of ``|a - b|^2``.
    """
    if features.device.type == 'mps':  # which has no float64
        return pairwise_distances(features.cpu()).to(features.device)
    features = features.double()
    # the mean does not change distances, but costs digits
    features = features - features.mean(1, keepdim=True)
    with full_precision(features):
        products = _upper_products(features)
    squares = products.diagonal(dim1=1, dim2=2)
    squares = squares[:, :, None] + squares[:, None, :]
    squared = squares - 2 * products
    squared = squared.where(squared > 1e-13 * squares, 0)
    distance = (squared / features.shape[-1]).sqrt().float().triu(1)
    return distance + distance.mT


def _upper_products(x: Tensor) -> Tensor:
    """Multiply tokens (B, T, F) with themselves and later ones, (B, T, T)."""
    step = max(64, -(-x.shape[1] // 4))
    blocks = [
        nn.functional.pad(x[:, first : first + step] @ x[:, first:].mT, (first, 0))
        for first in range(0, x.shape[1], step)
    ]
    return torch.cat(blocks, dim=1)
