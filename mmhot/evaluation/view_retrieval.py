"""Metric of embeddings: retrieval of other views of a moment, and signs of collapse."""

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmpose.registry import METRICS

from mmhot.models.lifters.poseclr import describe_embeddings


@METRICS.register_module()
class ViewRetrievalMetric(BaseMetric):
    """Measure embeddings of views by :func:`describe_embeddings`.

    The first view of each moment is compared with its other views; the negatives are
    the last views of all moments of other performances or more than ``radius`` frames
    away.

    Args:
        radius (int): Frames around a moment that are no negatives. Defaults to 40.
        **kwargs: As of MMEngine's ``BaseMetric``.
    """

    default_prefix = ''

    def __init__(self, radius: int = 40, **kwargs) -> None:
        super().__init__(**kwargs)
        self.radius = radius

    def process(self, data_batch: object, data_samples: Sequence[dict]) -> None:
        """Keep the embeddings ``(V, D)`` and moments of a batch."""
        self.results += [
            (sample['embeddings'], sample['performance'], sample['frame'])
            for sample in data_samples
        ]

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute the means over moments."""
        embeddings, performances, frames = map(np.array, zip(*results, strict=True))
        embeddings = torch.from_numpy(embeddings)  # (N, V, D)
        queries, keys = embeddings[:, 0], embeddings[:, 1:]
        same = performances[:, None] == performances
        near = np.abs(frames[:, None] - frames) <= self.radius
        negatives = queries @ keys[:, -1].T
        negatives.masked_fill_(torch.from_numpy(same & near), -torch.inf)
        found = describe_embeddings(queries, keys, negatives)
        return {name: value.item() for name, value in found.items()}
