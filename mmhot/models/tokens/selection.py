"""Which tokens stay, and taking them out of a sequence."""

import torch
from torch import Tensor


def keep_highest(scores: Tensor, num_keep: int) -> Tensor:
    """Choose the tokens of highest score; of equal ones those of lower index.

    Args:
        scores (Tensor): Score of each token, (..., N).
        num_keep (int): Tokens to keep, from 1 to N.

    Returns:
        Tensor: Their indices in ascending order, (..., num_keep).

    Raises:
        ValueError: If ``num_keep`` is out of range.
    """
    num_tokens = scores.shape[-1]
    if not 1 <= num_keep <= num_tokens:
        raise ValueError(f'num_keep must be from 1 to {num_tokens}, got {num_keep}')
    # topk breaks ties as it likes, which would make results depend on the device
    order = scores.sort(dim=-1, descending=True, stable=True).indices
    return order[..., :num_keep].sort(dim=-1).values


def gather_tokens(x: Tensor, index: Tensor) -> Tensor:
    """Take tokens out of each sequence.

    Args:
        x (Tensor): Tokens, (..., N, *rest): the axes before N are those that lead
            ``index``, any may follow.
        index (Tensor): Indices of the tokens wanted, (..., n).

    Returns:
        Tensor: The tokens in the order of the indices, (..., n, *rest).
    """
    num_tokens = x.shape[index.ndim - 1]
    first = torch.arange(index[..., 0].numel(), device=index.device) * num_tokens
    rows = (index.reshape(first.shape[0], -1) + first[:, None]).flatten()
    # one row a token: faster than torch.gather, which looks up every element
    rest = x.shape[index.ndim :]
    return x.reshape(-1, *rest).index_select(0, rows).reshape(*index.shape, *rest)
