"""Collapse of embeddings, and retrieval of other views by them."""

import torch
from torch import Tensor


def describe_embeddings(
    queries: Tensor, keys: Tensor, negatives: Tensor
) -> dict[str, Tensor]:
    """Measure what shows whether embeddings collapse.

    Args:
        queries (Tensor): Unit vectors, (B, D).
        keys (Tensor): Those of other views, (B, V, D).
        negatives (Tensor): Similarities of queries and the queue, (B, N).

    Returns:
        dict[str, Tensor]: ``retrieval_top1``, the share of keys nearer to their query
        than every negative; ``alignment``, the mean squared distance of a query
        and its keys; ``uniformity``, the logarithm of the mean of exp(-2 d^2) over
        pairs of queries (both of Wang and Isola, ICML 2020); ``effective_rank`` of the
        queries, the exponential of the entropy of their singular values (Roy and
        Vetterli, 2007).
    """
    positives = (queries[:, None] * keys).sum(-1)
    top1 = (positives > negatives.amax(1, keepdim=True)).float().mean()
    squared = torch.pdist(queries.float()).square()
    values = torch.linalg.svdvals(queries.float())
    shares = values / values.sum()
    return dict(
        retrieval_top1=top1,
        alignment=(2 - 2 * positives).mean(),
        uniformity=(-2 * squared).exp().mean().log(),
        effective_rank=torch.special.entr(shares).sum().exp(),
    )
