"""Retrieval of other views of a moment."""

import numpy as np
import torch
from mmpose.registry import METRICS

import mmhot.plugin  # noqa: F401 registers
from mmhot.models.lifters.poseclr import retrieval_top1


def measure(keys, performances, frames, radius=5):
    metric = METRICS.build(dict(type='ViewRetrievalMetric', radius=radius))
    queries = np.eye(4, dtype=np.float32)
    samples = [
        dict(embeddings=np.stack(views), performance=performance, frame=frame)
        for *views, performance, frame in zip(
            queries, keys, performances, frames, strict=True
        )
    ]
    metric.process({}, samples[:3])
    metric.process({}, samples[3:])
    return metric.evaluate(size=4)


def test_moments_are_found_among_others():
    found = measure(np.eye(4, dtype=np.float32), [0, 0, 1, 1], [0, 10, 0, 10])
    assert found['retrieval_top1'] == 1


def test_near_frames_of_a_performance_are_no_negatives():
    # keys of moments 0 and 1 are exchanged
    keys = np.eye(4, dtype=np.float32)[[1, 0, 2, 3]]
    apart = measure(keys, [0, 0, 1, 1], [0, 10, 0, 10])
    assert apart['retrieval_top1'] == 0.5
    others = measure(keys, [0, 1, 2, 2], [0, 3, 0, 10])
    assert others['retrieval_top1'] == 0.5
    near = measure(
        keys + 0.2 * np.eye(4, dtype=np.float32), [0, 0, 1, 1], [0, 3, 0, 10]
    )
    assert near['retrieval_top1'] == 1


def test_collapse_is_seen():
    same = torch.nn.functional.normalize(torch.ones(8, 4))
    assert retrieval_top1(same, same[:, None], torch.ones(8, 3)) == 0
