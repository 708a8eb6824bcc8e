"""Inference in half precision, with the CPU in place of a GPU."""

import numpy as np
import pytest
import torch
from mmpose.apis import init_model
from torch import nn

from mmhot.chain.lifting.torch_network import TorchNetwork
from mmhot.chain.pose2d.mmpose_models import MMPoseDetector, MMPoseEstimator
from mmhot.deploy import half_precision
from mmhot.weights.names import DETECTOR, LIFTER, POSE, resolve


@pytest.fixture
def half_on_cpu(monkeypatch):
    """Take the CPU for a GPU."""
    monkeypatch.setattr(half_precision, '_HALF_DEVICE', 'cpu')


def test_lifters_in_half_precision_return_float32(half_on_cpu):
    inputs = np.random.default_rng(0).normal(size=(2, 81, 17, 2)).astype(np.float32)
    half = TorchNetwork(resolve(None, LIFTER), 'cpu')(inputs)
    half_precision._HALF_DEVICE = 'cuda'
    full = TorchNetwork(resolve(None, LIFTER), 'cpu')(inputs)
    assert half.dtype == np.float32
    assert 0 < np.abs(half - full).max() < 0.02  # poses have the size of a person


@pytest.mark.parametrize(
    'name',
    [
        'gtpt-t',
        'rtmpose-t_8xb256-420e_coco-256x192',
        pytest.param(
            'td-hm_litehrnet-18_8xb64-210e_coco-256x192',
            marks=pytest.mark.slow(reason='a large network of others, 7 s'),
        ),
    ],
)
def test_2d_models_in_half_precision_return_float32(name, half_on_cpu, tmp_path):
    weights = None
    if name != 'gtpt-t':
        config = resolve(name, POSE).config
        weights = tmp_path / 'random.pth'
        torch.manual_seed(0)
        torch.save(init_model(str(config), device='cpu').state_dict(), weights)
    images = [np.random.default_rng(0).integers(0, 255, (256, 192, 3), np.uint8)]
    boxes = [np.float32([[0, 0, 192, 256]])]
    half = MMPoseEstimator(resolve(name, POSE, weights))
    convolutions = [x for x in half.model.modules() if isinstance(x, nn.Conv2d)]
    assert all(
        layer.weight.is_contiguous(memory_format=torch.channels_last)
        for layer in convolutions
    )
    poses = half(images, boxes)
    half_precision._HALF_DEVICE = 'cuda'
    expected = MMPoseEstimator(resolve(name, POSE, weights))(images, boxes)
    for (points, scores), (full, wanted_scores) in zip(poses, expected, strict=True):
        assert points.dtype == scores.dtype == np.float32
        np.testing.assert_allclose(scores, wanted_scores, atol=0.05)
        if name == 'gtpt-t':
            assert np.median(np.abs(points - full)) < 1


def test_detectors_in_half_precision_return_float32(half_on_cpu):
    image = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    model = resolve('rtmdet-nano-person', DETECTOR)
    half = MMPoseDetector(model, min_score=0.05)([image])
    half_precision._HALF_DEVICE = 'cuda'
    full = MMPoseDetector(model, min_score=0.05)([image])
    for own in (*half[0], *full[0]):
        assert own.dtype == np.float32
