"""Captured graphs, with a stand-in for CUDA that repeats a call on the CPU."""

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.registry import DefaultScope
from torch import Tensor
from torch.utils._pytree import tree_leaves

from mmhot.chain.pose2d import mmpose_models
from mmhot.deploy.captured_graphs import CapturedGraphs
from mmhot.weights.config_files import read_config_file
from mmhot.weights.names import DETECTOR, POSE, resolve

DETR = 'detr/detr_r50_8xb2-150e_coco'


def repeat(network, inputs):
    """Capture a call on the CPU: its outputs are overwritten by each replay."""
    outputs = network(inputs)

    def replay() -> None:
        for old, new in zip(
            tree_leaves(outputs), tree_leaves(network(inputs)), strict=True
        ):
            old.copy_(new)

    return replay, outputs


@pytest.fixture
def sizes(monkeypatch):
    """Batch sizes that were captured."""
    captured = []

    def capture(graphs, inputs):
        captured.append(len(inputs))
        return repeat(graphs._network, inputs)

    monkeypatch.setattr(CapturedGraphs, '_capture', capture)
    return captured


def network(x: Tensor) -> tuple[Tensor, Tensor]:
    return x.flip(-1), x.square().sum(-1)


@pytest.mark.parametrize('size', [1, 2, 4, 5, 8, 9, 20])
def test_batches_are_padded_and_split_without_changing_results(size, sizes):
    graphs = CapturedGraphs(network, (1, 4, 8))
    batches = torch.randn(2, size, 3)
    found = [graphs(x) for x in batches]
    torch.testing.assert_close(found, [network(x) for x in batches], rtol=0, atol=0)


def test_sizes_are_captured_once_for_each_shape_or_all_at_once(sizes):
    graphs = CapturedGraphs(network, (1, 4, 8))
    for size in (3, 4, 2, 1, 8, 7, 17):
        graphs(torch.zeros(size, 3))
    assert sizes == [4, 1, 8]
    graphs(torch.zeros(3, 5))
    assert sizes == [4, 1, 8, 4]
    sizes.clear()
    graphs = CapturedGraphs(network, (1, 4, 8), all_at_once=True)
    for size in (3, 8, 1):
        graphs(torch.zeros(size, 3))
    assert sizes == [8, 4, 1]


def test_networks_that_cannot_be_captured_run_plainly(caplog, monkeypatch):
    def refuse(graphs, inputs):
        raise RuntimeError('operation not permitted when stream is capturing\nmore')

    monkeypatch.setattr(CapturedGraphs, '_capture', refuse)
    graphs = CapturedGraphs(network, (4,))
    x = torch.randn(2, 3)
    for _ in range(2):
        torch.testing.assert_close(graphs(x), network(x), rtol=0, atol=0)
    [record] = caplog.records
    assert record.getMessage().endswith('when stream is capturing')


@pytest.mark.parametrize('flip_test', [False, True])
def test_captured_2d_models_find_what_they_found(flip_test, sizes):
    estimator = mmpose_models.MMPoseEstimator(resolve('gtpt-t', POSE))
    images = np.random.default_rng(0).integers(0, 255, (2, 256, 192, 3), np.uint8)
    boxes = [np.float32([[0, 0, 192, 256], [10, 20, 150, 250]])] * 2
    estimate = estimator if flip_test else estimator.estimate_fast
    expected = estimate([*images], boxes)
    mmpose_models._capture(estimator.model, 'head', 'cuda', (1, 4))
    torch.testing.assert_close(estimate([*images], boxes), expected, rtol=0, atol=1e-3)


def test_captured_detectors_find_what_they_found(sizes):
    model = resolve('rtmdet-nano-person', DETECTOR)
    detector = mmpose_models.MMPoseDetector(model, min_score=0.05)
    image = np.random.default_rng(0).integers(0, 255, (240, 240, 3), np.uint8)
    expected = detector([image])
    mmpose_models._capture(detector.model, 'bbox_head', 'cuda', (1,))
    detector.pads_to_squares = True
    torch.testing.assert_close(detector([image]), expected, rtol=0, atol=1e-3)
    assert len(detector([image[:120]])) == 1
    assert len(sizes) == 1  # images are padded to one shape


@pytest.mark.parametrize('name', ['faster_rcnn/faster-rcnn_r50_fpn_1x_coco', DETR])
def test_detectors_with_other_heads_run_plainly(name, sizes):
    config = read_config_file(f'mmdet::{name}.py', scope='mmdet').model
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(config)
    before = model.extract_feat
    mmpose_models._capture(model, 'bbox_head', 'cuda', (1,))
    assert model.extract_feat == before
