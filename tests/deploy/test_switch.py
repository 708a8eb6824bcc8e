"""Models rewritten for inference or training compute the same numbers."""

import copy

import numpy as np
import pytest
import torch
from mmpose.apis import init_model
from torch import Tensor, nn
from torch.testing import assert_close

from mmhot.deploy import switch, transformer
from mmhot.deploy.gtpt import Chunked
from mmhot.deploy.human_topology import (
    FoldedGraphConv,
    FoldedPartConstraint,
    fold_norm,
)
from mmhot.deploy.switch import (
    RecordedForward,
    rewrite_for_training,
    switch_to_deploy,
)
from mmhot.deploy.transformer import FusedLinear, TrainedAttention, UniformDropout
from mmhot.evaluation.cost import count_cost
from mmhot.lifting.torch_network import TorchNetwork
from mmhot.models.layers.attention import DotProductAttention
from mmhot.models.lifters.graph_conv import ModulatedGraphConv
from mmhot.models.lifters.htnet import IntraPartConstraint
from mmhot.skeletons.joints import get_skeleton
from mmhot.video.sources.mmpose_models import MMPoseDetector, MMPoseEstimator
from mmhot.video.sources.model_names import find_pose_model
from tools.benchmark.model_specs import build_spec, parse_spec

# Sums in another order, of outputs whose size is about 1.
CLOSE = {'rtol': 1e-4, 'atol': 1e-4}
NANOHTNET = (
    'nanohtnet-81-9:model.backbone.embed_dims=48:model.backbone.depth=1'
    ':model.backbone.mlp_dims=16:model.backbone.graph_dims=12'
)

HTNET = (
    'htnet:model.backbone.embed_dims=24:model.head.in_channels=24'
    ':model.backbone.depth=1'
)
MIXSTE = (
    'hot-mixste-243:model.backbone.embed_dims=16:model.backbone.mlp_dims=32'
    ':model.backbone.num_heads=2:model.head.in_channels=16'
)
MHFORMER = (
    'tpc-mhformer-351:model.backbone.embed_dims=16:model.backbone.mlp_dims=32'
    ':model.backbone.num_heads=2:model.head.in_channels=48'
)


def built(text):
    """Model of a benchmark's row, as if trained, and an input."""
    row = build_spec(parse_spec(text))
    for module in row.model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_(std=0.2)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
        if isinstance(module, ModulatedGraphConv | nn.LayerNorm):
            for parameter in module.parameters():
                nn.init.normal_(parameter, mean=0.3, std=0.2)
    return row, row.inputs(2)


@torch.no_grad()
@pytest.mark.parametrize(
    'text', [NANOHTNET, HTNET, MIXSTE, MHFORMER, 'tcn-27', 'rtmpose-t']
)
def test_deployed_model_computes_the_same_numbers(text):
    row, x = built(text)
    expected = row(x)
    assert switch_to_deploy(row.model) is row.model
    assert_close(row(x), expected, **CLOSE)
    switch_to_deploy(row.model)
    assert_close(row(x), expected, **CLOSE)


def test_batch_normalizations_are_gone():
    model = switch_to_deploy(built('rtmpose-t')[0].model.train())
    assert not model.training
    left = [
        module for module in model.modules() if 'BatchNorm' in type(module).__name__
    ]
    assert not left


def test_normalization_without_a_convolution_before_it_stays():
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Conv1d(3, 3, 1), nn.ReLU())
    model.append(nn.BatchNorm1d(3))
    switch_to_deploy(model)
    assert [type(layer).__name__ for layer in model] == [
        *('BatchNorm1d', 'Conv1d', 'ReLU', 'BatchNorm1d')
    ]


@torch.no_grad()
def test_folded_layers_have_no_parameters_and_move_to_devices():
    conv = ModulatedGraphConv(4, 6, torch.eye(5))
    part = IntraPartConstraint(6, 8, get_skeleton('h36m-17'), 0.1, 0.1)
    for layer in (FoldedGraphConv(conv), FoldedPartConstraint(part)):
        assert not list(layer.parameters())
        assert not layer.state_dict()
        moved = copy.deepcopy(layer).to('meta')
        assert all(tensor.is_meta for tensor in moved.buffers())


@torch.no_grad()
def test_copy_of_a_deployed_layer_is_independent():
    conv = FoldedGraphConv(ModulatedGraphConv(4, 6, torch.rand(5, 5)))
    twin = copy.deepcopy(conv)
    x = torch.randn(2, 5, 4)
    assert torch.equal(conv(x), twin(x))
    twin.kernel.zero_()
    assert not torch.equal(conv(x), twin(x))


@pytest.mark.parametrize('repeats', [1, 3])
def test_folded_normalization_is_part_of_the_linear_layer(repeats):
    torch.manual_seed(0)
    norm, linear = nn.LayerNorm(4), nn.Linear(4 * repeats, 5)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    x = torch.randn(2, repeats, 4)
    weight, bias = fold_norm(norm, linear)
    plain = nn.functional.layer_norm(x, (4,)).flatten(1)
    expected = linear(norm(x).flatten(1))
    assert_close(nn.functional.linear(plain, weight, bias), expected)


@torch.no_grad()
@pytest.mark.parametrize('text', [NANOHTNET, HTNET])
def test_few_samples_run_from_a_recording_of_their_shape(text, monkeypatch):
    row, _ = built(text)
    batches = [row.inputs(count) for count in (1, 2, 1, 5)]
    plain = [row(x) for x in batches]
    switch_to_deploy(row.model)
    backbone, ran = row.model.backbone, []
    plain_forward = type(backbone).forward
    monkeypatch.setattr(
        type(backbone),
        'forward',
        lambda self, x: ran.append(len(x)) or plain_forward(self, x),
    )
    for _ in range(3):  # the second and third are optimized by PyTorch
        for x, expected in zip(batches, plain, strict=True):
            assert_close(row(x), expected, **CLOSE)
    assert ran == [1, 2, 5, 5, 5]


def test_only_inference_in_full_precision_is_recorded():
    row, x = built(NANOHTNET)
    switch_to_deploy(row.model)
    recorded = row.model.backbone.forward
    assert type(recorded) is RecordedForward
    assert row(x.requires_grad_()).requires_grad
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
        row(x)
    assert recorded.programs == {}


@torch.no_grad()
def test_copy_does_not_use_the_recordings_of_the_original():
    row, x = built(NANOHTNET)
    expected = row(x)
    switch_to_deploy(row.model)
    row(x)
    twin = copy.deepcopy(row.model)
    twin.backbone.temporal_norm.bias += 1
    assert (twin(x, None, mode='tensor') - expected).abs().max() > 0.01
    assert_close(row(x), expected, **CLOSE)


@torch.no_grad()
def test_operations_are_counted_despite_recordings():
    row, _ = built(NANOHTNET)
    x = row.inputs(1)
    switch_to_deploy(row.model)
    fresh = count_cost(row.model, x, None, mode='tensor')
    assert fresh.macs > 0
    row(x)
    assert row.model.backbone.forward.programs
    assert count_cost(row.model, x, None, mode='tensor') == fresh


def test_linear_layers_are_replaced():
    model = nn.Sequential(nn.Linear(4, 3), nn.MultiheadAttention(4, 2))
    weight, attention = model[0].weight, model[1].out_proj
    x = torch.randn(600, 4)
    with torch.inference_mode():
        before = model[0](x)
        switch_to_deploy(model)
        assert_close(model[0](x), before)
    assert type(model[0]) is FusedLinear
    assert model[0].weight is weight
    # a subclass, which its module looks into
    assert model[1].out_proj is attention


@torch.no_grad()
def test_weights_are_reordered_once_and_after_they_change(monkeypatch):
    reordered = []
    reorder = transformer._REORDER

    def count(weight, rows):
        reordered.append(weight)
        return reorder(weight, rows)

    monkeypatch.setattr(transformer, '_REORDER', count)
    linear = nn.Linear(40, 24)
    layer, other = FusedLinear(linear), nn.Linear(40, 24)
    for rows in (512, 700, 4000, 3):  # the last is too few for oneDNN
        x = torch.randn(rows, 40)
        assert_close(layer(x), nn.functional.linear(x, linear.weight, linear.bias))
    assert len(reordered) == 1
    x = torch.randn(512, 40)
    layer.load_state_dict(other.state_dict())
    assert_close(layer(x), other(x))
    assert_close(copy.deepcopy(layer)(x), other(x))


@torch.no_grad()
def test_operations_of_reordered_weights_are_counted():
    layer, x = FusedLinear(nn.Linear(40, 24)), torch.randn(512, 40)
    assert count_cost(layer, x).macs == count_cost(layer, x).macs == 512 * 40 * 24


def test_chunks_are_for_inference_and_joined_in_order():
    x, sizes = torch.arange(10.0).view(5, 2).requires_grad_(), []

    def double(chunk):
        sizes.append(len(chunk))
        return 2 * chunk

    for with_gradients, expected in ((False, [2, 2, 1]), (True, [5])):
        with torch.set_grad_enabled(with_gradients):
            assert torch.equal(Chunked(double, 2)(x), 2 * x)
        assert sizes == expected
        sizes.clear()


@pytest.mark.parametrize('num_keys', [3, 30, 70])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_attention_in_training_equals_the_fused_kernel(num_keys, dtype):
    torch.manual_seed(0)
    shapes = ((2, 4, num_keys, 6), (2, 4, num_keys + 2, 6), (2, 4, num_keys + 2, 6))
    inputs = [torch.randn(shape).to(dtype).requires_grad_() for shape in shapes]
    plain = DotProductAttention(scale=0.3)
    ours, fused = TrainedAttention(plain)(*inputs), plain(*inputs)
    close = (
        dict(rtol=1e-5, atol=1e-5)
        if dtype == torch.float32
        else dict(rtol=0.05, atol=0.02)
    )
    assert ours.dtype == dtype
    assert_close(ours, fused, **close)
    weight = torch.randn_like(ours)
    for got, expected in zip(
        torch.autograd.grad(ours, inputs, weight),
        torch.autograd.grad(fused, inputs, weight),
        strict=True,
    ):
        assert_close(got, expected, **close)


def test_long_attention_is_differentiated_in_float32():
    q, k, v = (torch.randn(2, 4, n, 8, dtype=torch.bfloat16) for n in (65, 70, 70))
    full = [x.float().requires_grad_() for x in (q, k, v)]
    half = [x.clone().requires_grad_() for x in (q, k, v)]
    attention = TrainedAttention(DotProductAttention(scale=0.3))
    wanted = attention(*full)
    with torch.autocast('cpu', torch.bfloat16):
        found = attention(*half)
    assert torch.equal(found, wanted.bfloat16())
    wanted.sum().backward()
    found.sum().backward()
    for a, b in zip(half, full, strict=True):
        assert torch.equal(a.grad, b.grad.bfloat16())


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_dropout_keeps_the_type_and_the_mean(dtype):
    torch.manual_seed(0)
    x = torch.ones(100, 1000, dtype=dtype)
    dropped = UniformDropout(nn.Dropout(0.3))(x)
    assert dropped.dtype == dtype
    assert set(dropped.unique().tolist()) == {0, (x[0, 0] / 0.7).item()}
    assert (dropped == 0).float().mean() == pytest.approx(0.3, abs=0.01)
    assert torch.equal(UniformDropout(nn.Dropout(0.3)).eval()(x), x)
    assert not UniformDropout(nn.Dropout(1.0))(x).any()


def test_training_keeps_parameters_and_gradients():
    row, x = built(HTNET)
    # dropped tokens would differ
    for module in row.model.modules():
        if isinstance(module, nn.Dropout) or hasattr(module, 'drop_prob'):
            module.p = module.drop_prob = 0
    plain, names = row.model.backbone.train(), list(row.model.state_dict())
    plain(x).square().mean().backward()
    rewritten = rewrite_for_training(copy.deepcopy(row.model))
    assert list(rewritten.state_dict()) == names
    kinds = {type(module) for module in rewritten.modules()}
    assert {TrainedAttention, UniformDropout} <= kinds
    assert not {DotProductAttention, nn.Dropout} & kinds
    rewritten.zero_grad()
    rewritten.backbone(x).square().mean().backward()
    wanted = dict(plain.named_parameters())
    for name, parameter in rewritten.backbone.named_parameters():
        scale = wanted[name].grad.abs().max() + 1e-12
        assert_close(parameter.grad / scale, wanted[name].grad / scale, **CLOSE)


@pytest.fixture
def half_on_cpu(monkeypatch):
    """Take the CPU for a GPU; returns the shapes that were copied to pinned memory."""
    pinned = []
    monkeypatch.setattr(switch, '_HALF_DEVICE', 'cpu')
    monkeypatch.setattr(Tensor, 'pin_memory', lambda x: pinned.append(x.shape) or x)
    return pinned


def test_lifters_in_half_precision_return_float32(half_on_cpu):
    inputs = np.random.default_rng(0).normal(size=(2, 81, 17, 2)).astype(np.float32)
    half = TorchNetwork(device='cpu')(inputs)
    assert half_on_cpu == [(2, 81, 17, 2)]
    switch._HALF_DEVICE = 'cuda'
    full = TorchNetwork(device='cpu')(inputs)
    assert half.dtype == np.float32
    assert 0 < np.abs(half - full).max() < 0.02  # of poses of the size of a person


@pytest.mark.parametrize('name', ['gtpt-t', 'rtmpose-t_8xb256-420e_coco-256x192'])
def test_2d_models_in_half_precision_return_float32(name, half_on_cpu, tmp_path):
    weights = None
    if name != 'gtpt-t':
        config = find_pose_model(name).config
        weights = tmp_path / 'random.pth'
        torch.manual_seed(0)
        torch.save(init_model(str(config), device='cpu').state_dict(), weights)
    images = [np.random.default_rng(0).integers(0, 255, (256, 192, 3), np.uint8)] * 2
    boxes = [np.float32([[0, 0, 192, 256]])] * 2
    half = MMPoseEstimator(name, weights)
    convolutions = [
        each for each in half.model.modules() if isinstance(each, nn.Conv2d)
    ]
    assert all(
        each.weight.is_contiguous(memory_format=torch.channels_last)
        for each in convolutions
    )
    found = half(images, boxes)
    assert half_on_cpu
    switch._HALF_DEVICE = 'cuda'
    expected = MMPoseEstimator(name, weights)(images, boxes)
    for (points, scores), (wanted, wanted_scores) in zip(found, expected, strict=True):
        assert points.dtype == scores.dtype == np.float32
        np.testing.assert_allclose(scores, wanted_scores, atol=0.05)
        if name == 'gtpt-t':
            assert np.median(np.abs(points - wanted)) < 1


def test_detectors_in_half_precision_return_float32(half_on_cpu):
    image = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    half = MMPoseDetector('rtmdet-nano-person', min_score=0.05)([image])
    switch._HALF_DEVICE = 'cuda'
    full = MMPoseDetector('rtmdet-nano-person', min_score=0.05)([image])
    for own in (*half[0], *full[0]):
        assert own.dtype == np.float32


def test_cpus_compute_in_full_precision():
    assert not switch.half_precision('cpu')._enabled
    x = torch.zeros(1)
    assert switch.copy_to_device(x, 'cpu') is x
