"""Pruning of transformers from outside of mmhot, by hooks of their layers."""

import copy
import io
import re
import subprocess
import sys

import onnxruntime
import pytest
import torch
from paths import ROOT
from torch import nn

from examples.gumbel_pruner import GumbelPruner
from examples.prune_transformer import TemporalViT
from mmhot.models.tokens.pruners import MotionPruner
from mmhot.tokens import (
    AttentionPruner,
    ClusterPruner,
    Hourglass,
    InterpolationRecoverer,
    Pruner,
    UniformPruner,
    prune,
)

EXACT = dict(rtol=0, atol=0)
ALONE = """
import sys
for package in ('mmpose', 'mmcv', 'mmengine', 'mmdet', 'cv2', 'scipy', 'numpy'):
    sys.modules[package] = None
import torch
before = len(sys.modules)
import mmhot.tokens
assert len(sys.modules) - before < 150, len(sys.modules) - before
"""


def blocks(page, call):
    found = re.findall(r'```python\n(.*?)```', (ROOT / page).read_text(), re.S)
    return next(block for block in found if call in block)


@torch.no_grad()
@pytest.mark.parametrize('page', ['README.md', 'docs/tokens.md'])
def test_lines_of_the_pages_prune_a_transformer(page):
    names = dict(TemporalViT=TemporalViT, x=torch.randn(2, 81, 17, 2))
    exec(blocks(page, 'prune(model.layers'), names)
    assert names['poses'].shape == (2, 81, 17, 3)
    assert names['model'].layers.hourglass.kept.shape == (2, 27)
    names['model'](names['x'])
    assert names['model'].layers.hourglass.kept.shape == (2, 14)


@torch.no_grad()
def test_lines_of_the_page_build_gtpt():
    names = dict(vit_tokens=torch.randn(2, 192, 384))
    exec(blocks('docs/tokens.md', 'GTPT('), names)
    assert names['keypoints'].shape == (2, 17, 192)
    kept = names['gtpt'].kept
    assert kept[-1].shape == (2, 3, 19)


class Encoder(nn.Module):
    """PyTorch's own transformer, whose layers run in its forward function."""

    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 2, 32, 0.0, batch_first=True)
        self.body = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
        self.layers = self.body.layers

    def forward(self, x):
        return self.body(x)


class PerKeypoint(nn.Module):
    """Attention over frames of tokens (B, T, K, C), in a Sequential of Sequentials."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(*(nn.Sequential(Mixer()) for _ in range(4)))

    def forward(self, x):
        return self.layers(x)


class Mixer(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = nn.MultiheadAttention(16, 2, batch_first=True)

    def forward(self, x):
        tracks = x.transpose(1, 2).flatten(0, 1)
        tracks = self.attn(tracks, tracks, tracks, need_weights=False)[0]
        return x + tracks.unflatten(0, (len(x), -1)).transpose(1, 2)


def vit():
    return TemporalViT(frames=27, dim=16, depth=4, num_heads=2, keypoints=2)


def poses(batch=2, seed=1):
    return torch.randn(batch, 27, 2, 2, generator=torch.manual_seed(seed))


def tokens(*middle):
    return torch.randn(2, 27, *middle, 16, generator=torch.manual_seed(1))


CASES = {'vit': (vit, poses()), 'pytorch': (Encoder, tokens())}
CASES['keypoints'] = PerKeypoint, tokens(5)


def build(case='vit', pruner=None, recoverer='attention'):
    torch.manual_seed(0)
    model = CASES[case][0]()
    prune(model.layers, 16, 27, pruner or ClusterPruner(9, 2), recoverer, 2)
    for parameter in model.layers.hourglass.parameters():
        if parameter.abs().max() == 0:
            nn.init.normal_(parameter, std=0.3)
    return model.eval(), CASES[case][1]


@pytest.mark.slow(reason='starts a process, 4 s')
def test_import_and_example_need_pytorch_alone():
    code = ALONE + 'from examples.prune_transformer import main; main()'
    subprocess.run([sys.executable, '-c', code], check=True, cwd=ROOT)


@torch.no_grad()
@pytest.mark.parametrize('case', CASES)
@pytest.mark.parametrize('recoverer', [None, 'interpolation'])
def test_keeping_all_frames_is_the_host(case, recoverer):
    model, x = build(case, UniformPruner(27, 2), recoverer)
    torch.manual_seed(0)
    host = CASES[case][0]().eval()
    torch.testing.assert_close(model(x), host(x), **EXACT)
    assert len(model.layers) == len([*model.layers]) == 4
    assert model.layers[1] is list(model.layers)[1]
    assert model.layers.hourglass.kept.tolist() == [[*range(27)]] * 2


@torch.no_grad()
@pytest.mark.slow(reason='exports a model to ONNX')
@pytest.mark.parametrize('recoverer', ['attention', 'interpolation'])
def test_pruned_models_export_without_translations(recoverer, tmp_path):
    model, x = build('vit', ClusterPruner(9, 2), recoverer)
    x[:, 10] = x[:, 3]  # equal frames have equal scores
    path = tmp_path / 'model.onnx'
    torch.onnx.export(model, (x,), path, dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(path)
    (y,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    torch.testing.assert_close(torch.from_numpy(y), model(x), rtol=0, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize('case', CASES)
@pytest.mark.parametrize('kind', [ClusterPruner, AttentionPruner])
def test_hooks_are_the_hourglass(case, kind):
    """A pyramid of two pruners; in evaluation PyTorch has a fast path for layers."""
    model, x = build(case, [kind(13, 1), kind(5, 3)])
    hooked = model.layers.hourglass
    y = model(x)
    plain = copy.deepcopy(model)
    layers = [*plain.layers]
    if case == 'pytorch':
        layers = [*plain.body.layers]
    for module in plain.modules():
        module._forward_hooks.clear()
        module._forward_pre_hooks.clear()
    inside = Hourglass(27, 4, [kind(13, 1), kind(5, 3)], hooked.recoverer)
    inside.load_state_dict(hooked.state_dict())
    if case == 'vit':
        x = plain.embed(x.flatten(2)) + plain.positions
    watched = [Watched(layer) for layer in layers]
    x, kept = inside(
        x, watched, lambda x: x.flatten(2, -2).mean(2) if x.ndim > 3 else x
    )
    x = inside.recoverer(x, kept[-1], 27)
    if case == 'vit':
        x = plain.head(plain.norm(x)).unflatten(-1, (-1, 3))
    torch.testing.assert_close(kept[-1], hooked.kept)
    # PyTorch's fast path, which hooks turn off, sums in another order.
    torch.testing.assert_close(y, x, rtol=0, atol=1e-6 if case == 'pytorch' else 0)


class Watched:
    """A layer whose attention is computed by PyTorch."""

    def __init__(self, layer):
        self.layer = layer

    def __call__(self, x):
        return self.layer(x)

    def watch(self, x):
        seen = []
        attention = [m for m in self.layer.modules() if hasattr(m, 'num_heads')][0]
        hook = attention.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
        y = self.layer(x)
        hook.remove()
        own = attention
        if hasattr(attention, 'qkv'):
            own = nn.MultiheadAttention(16, 2, batch_first=True).eval()
            own.in_proj_weight.data = attention.qkv.weight.data
            own.in_proj_bias.data = attention.qkv.bias.data
        _, weights = own(*seen * 3, need_weights=True)  # (B', t, t), of heads' mean
        return y, weights.mean(1).unflatten(0, (len(x), -1)).mean(1)


@torch.no_grad()
def test_keep_is_set_after_training():
    model, x = build()
    before = model(x)
    model.layers.hourglass.keep = 5
    assert model(x).shape == before.shape
    assert model.layers.hourglass.kept.shape == (2, 5)
    model.layers.hourglass.keep = 28
    with pytest.raises(ValueError, match='keep must be from 1 to 27, got 28'):
        model(x)


def test_copies_files_and_state_dicts_have_the_hourglass():
    model, x = build()
    y = model(x)
    other = copy.deepcopy(model)
    assert other.layers.hourglass is not model.layers.hourglass
    assert other.layers.hourglass in [*other.modules()]
    for parameter in other.layers.hourglass.parameters():
        nn.init.normal_(parameter)
    assert not torch.equal(other(x), y)
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    torch.testing.assert_close(torch.load(file, weights_only=False)(x), y, **EXACT)
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other(x), y, **EXACT)
    assert 'layers.0.hourglass.recoverer.queries' in model.state_dict()
    assert not model.layers.hourglass.pruners[0].training
    assert model.train().layers.hourglass.pruners[0].training
    assert model.double()(x.double()).dtype == torch.float64


@pytest.mark.parametrize('case', CASES)
@pytest.mark.parametrize('pruner', [ClusterPruner(9, 2), GumbelPruner(9, 2, 16)])
def test_gradients_reach_every_parameter(case, pruner):
    model, x = build(case, pruner)
    model.train()(x).square().mean().backward()
    found = {name: p.grad for name, p in model.named_parameters()}
    assert all(g is not None and g.abs().sum() > 0 for g in found.values()), found
    assert any('pruner' in name for name in found) == pruner.is_learned


def test_mistakes_are_one_line():
    model = vit()
    with pytest.raises(ValueError, match='must be from 0 to 3, got 4'):
        prune(model.layers, 16, 27, ClusterPruner(9, 4))
    with pytest.raises(ValueError, match='needs nn.MultiheadAttention'):
        prune(
            nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3)),
            3,
            9,
            AttentionPruner(3, 1),
            None,
        )
    with pytest.raises(ValueError, match='MotionPruner needs the input poses'):
        build(pruner=MotionPruner(9, 1))[0](poses())

    class Silent(Pruner):
        def __init__(self):
            super().__init__(9, 1)
            self.scorer = nn.Linear(16, 1)

    with pytest.raises(ValueError, match='parameters of Silent would not be trained'):
        prune(model.layers, 16, 27, Silent())
    prune(model.layers, 16, 27, ClusterPruner(9, 1), InterpolationRecoverer())
    with pytest.raises(ValueError, match='already pruned'):
        prune(model.layers, 16, 27, ClusterPruner(9, 1))
    with pytest.raises(
        ValueError, match=r'need tokens \(B, 27, ..., C\), by num_frames'
    ):
        model.layers[0](torch.zeros(2, 28, 16))


class Sum(nn.Module):
    """Regress a number from frames, as a mean over the frames that are left."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(16, 16), nn.GELU()) for _ in range(2)
        )
        self.out = nn.Linear(16, 1)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.out(x).mean((1, 2))


def marked_frames(batch):
    """Frames of noise; the numbers of three marked ones have the target as mean."""
    x = 0.5 * torch.randn(batch, 27, 16)
    places = torch.rand(batch, 27).argsort(1)[:, :3]
    x[..., 0] = torch.zeros(batch, 27).scatter(1, places, 2.0)
    return x, places, x[..., 1].gather(1, places).mean(1)


@pytest.mark.parametrize(
    ('pruner', 'least', 'most'),
    [(GumbelPruner(6, 0, 16), 0.9, 1), (UniformPruner(6, 0), 0, 0.3)],
)
def test_learned_pruner_finds_the_frames_that_matter(pruner, least, most):
    torch.manual_seed(0)
    model = Sum()
    prune(model.layers, 16, 27, pruner, recoverer=None)
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(150):
        x, _, target = marked_frames(64)
        optimizer.zero_grad()
        (model(x) - target).square().mean().backward()
        optimizer.step()
    x, places, _ = marked_frames(256)
    model.eval()(x)
    found = (places[:, :, None] == model.layers.hourglass.kept[:, None]).any(-1)
    assert least < found.float().mean() < most
