"""Selection of tokens: by score, at equal distances, and their distances."""

import torch
from torch import Tensor

from mmhot.models.layers.blocks import full_precision


def keep_highest(scores: Tensor, num_keep: int) -> Tensor:
    """Choose the tokens with the highest scores; ties are broken by the lower index.

    Args:
        scores (Tensor): Scores, (..., N).
        num_keep (int): Tokens to keep.

    Returns:
        Tensor: Indices in ascending order, (..., num_keep).

    >>> keep_highest(torch.tensor([0.1, 0.9, 0.5, 0.9, 0.9]), 2)
    tensor([1, 3])
    """
    if torch.onnx.is_in_onnx_export():  # ONNX has no stable sort; its TopK is stable
        return scores.topk(num_keep).indices.sort().values
    # torch.topk leaves the order of equal scores to the device.
    order = scores.sort(dim=-1, descending=True, stable=True).indices
    return order[..., :num_keep].sort(dim=-1).values


def gather_tokens(x: Tensor, index: Tensor) -> Tensor:
    """Gather tokens by index.

    Args:
        x (Tensor): Tokens, (..., N, *rest).
        index (Tensor): Indices, (..., n).

    Returns:
        Tensor: Chosen tokens, (..., n, *rest).
    """
    num_tokens = x.shape[index.ndim - 1]
    rest = x.shape[index.ndim :]
    first = torch.arange(index[..., 0].numel(), device=index.device) * num_tokens
    flat_index = (index.reshape(first.shape[0], -1) + first[:, None]).flatten()
    # Whole tokens are copied, while torch.gather would look up every element.
    return x.reshape(-1, *rest).index_select(0, flat_index).reshape(*index.shape, *rest)


def spread_frames(
    num_frames: int, num_keep: int, device: torch.device | None = None
) -> Tensor:
    """Spread indices evenly over frames, both ends included.

    Index ``s`` is ``s * (T - 1) / (num_keep - 1)``, rounded half up. A single index is
    the center frame.

    Args:
        num_frames (int): Frames ``T``.
        num_keep (int): Indices to return.
        device (torch.device, optional): Device of the result.

    Returns:
        Tensor: Rising indices, (num_keep,).

    >>> spread_frames(9, 4).tolist()
    [0, 3, 5, 8]
    """
    if num_keep == 1:
        return torch.full((1,), (num_frames - 1) // 2, device=device)
    steps = torch.arange(num_keep, device=device)
    gaps = num_keep - 1
    return (2 * steps * (num_frames - 1) + gaps) // (2 * gaps)


def pairwise_distances(features: Tensor) -> Tensor:
    """Compute Euclidean distances between frames, divided by the root of ``F``.

    Distances are exactly symmetric, zero on the diagonal and between equal frames, and
    accurate to the rounding of float32. Mutual nearest neighbors have exactly equal
    densities, 52 to 58 of 243 frames in the published fixtures. Computing
    ``|a|^2 - 2ab + |b|^2`` in float32 breaks these ties, so that other frames are kept.
    Float64 preserves them, in a tenth of the time of ``|a - b|^2``.

    Args:
        features (Tensor): Features of frames, (B, T, F).

    Returns:
        Tensor: Distances, (B, T, T), float32.
    """
    if features.device.type == 'mps':  # Apple's GPUs have no float64
        return pairwise_distances(features.cpu()).to(features.device)
    features = features.double()
    # Removing the mean leaves distances as they are, and saves digits.
    features = features - features.mean(1, keepdim=True)
    with full_precision(features):
        products = features @ features.mT
    squares = products.diagonal(dim1=1, dim2=2)
    squares = squares[:, :, None] + squares[:, None, :]
    squared = squares - 2 * products
    squared = squared.where(squared > 1e-13 * squares, 0)
    distance = (squared / features.shape[-1]).sqrt().float().triu(1)
    return distance + distance.mT
