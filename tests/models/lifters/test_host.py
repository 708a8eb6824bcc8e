"""A host and a pruner that are defined and registered outside of the package."""

import pytest
import torch
from hosts import PRUNERS
from mmpose.registry import MODELS
from torch import nn

import mmhot.plugin  # noqa: F401 (registers what configs name)
from mmhot.models.lifters import host
from mmhot.models.lifters.host import Host
from mmhot.models.tokens.pruners import ClusterPruner, Pruner
from mmhot.models.tokens.recoverers import AttentionRecoverer

NUM_FRAMES, NUM_KEYPOINTS = 9, 5
RECOVERERS = [None, 'AttentionRecoverer', 'InterpolationRecoverer']


class ToyLayer(nn.Module):
    """A linear layer that reports the share of each frame's activations."""

    def __init__(self, embed_dims):
        super().__init__()
        self.fc = nn.Linear(embed_dims, embed_dims)

    def forward(self, x):
        return x + self.fc(x)

    def watch(self, x):
        return self(x), x.abs().sum((2, 3)).softmax(1)


class ToyHost(Host):
    """A backbone of three linear layers."""

    def __init__(self, embed_dims=8, layer=ToyLayer, **options):
        super().__init__(NUM_FRAMES, NUM_KEYPOINTS, 2, 3, embed_dims, **options)
        self.embed = nn.Linear(2, embed_dims)
        self.blocks = nn.ModuleList(layer(embed_dims) for _ in range(3))

    def tokenize(self, x):
        return self.embed(x)

    def get_layers(self):
        return self.blocks


class LatePruner(Pruner):
    """Keep the last frames."""

    def score(self, frames):
        return torch.arange(frames.poses.shape[1]).expand(len(frames.poses), -1).float()


def build(pruner=None, recoverer=None, backbone=ToyHost, **options):
    torch.manual_seed(0)
    pruner = pruner and dict(type=pruner, num_keep=4, depth=1)
    recoverer = recoverer and dict(type=recoverer)
    backbone = dict(type=backbone, pruner=pruner, recoverer=recoverer, **options)
    head = dict(type='PoseLiftingHead', in_channels=8)
    config = dict(type='SequencePoseLifter', backbone=backbone, head=head)
    return MODELS.build(config).eval()


def windows():
    shape = (2, NUM_FRAMES, NUM_KEYPOINTS, 2)
    return torch.randn(shape, generator=torch.manual_seed(1))


@torch.no_grad()
@pytest.mark.parametrize('recoverer', RECOVERERS)
@pytest.mark.parametrize('pruner', PRUNERS)
def test_toy_host_is_pruned_and_recovered(pruner, recoverer):
    model = build(pruner, recoverer)
    assert model.backbone.values_per_frame == NUM_KEYPOINTS * 8
    if recoverer:
        assert model.backbone.num_keep_frames == NUM_FRAMES
        assert model(windows()).shape == (2, NUM_FRAMES, NUM_KEYPOINTS, 3)
        return
    assert model.backbone.num_keep_frames == 1
    poses, kept = model(windows())
    assert (kept == NUM_FRAMES // 2).any(1).all()
    # layers do not mix frames, so that pruning changes no pose
    wanted = build()(windows())
    torch.testing.assert_close(poses, wanted[torch.arange(2)[:, None], kept])
    torch.testing.assert_close(
        model.lift(windows()), wanted[:, NUM_FRAMES // 2][:, None]
    )


@torch.no_grad()
@pytest.mark.parametrize('recoverer', RECOVERERS)
def test_toy_pruner_is_registered_from_outside(recoverer):
    MODELS.register_module(module=LatePruner)
    try:
        model = build('LatePruner', recoverer)
    finally:
        MODELS.module_dict.pop('LatePruner')
    kept = model.extract_feat(windows()).kept
    expected = [5, 6, 7, 8] if recoverer else [4, 6, 7, 8]
    assert kept.tolist() == [expected, expected]


def test_pruner_that_reads_attention_needs_layers_with_watch():
    model = build('AttentionPruner', layer=lambda dims: nn.Linear(dims, dims))
    with pytest.raises(AttributeError, match='Linear.* has no attribute .watch'):
        model(windows())


def toy(keep, **options):
    return ToyHost(pruner=ClusterPruner(keep, 1), **options)


@torch.no_grad()
def test_modules_are_those_of_their_configs():
    config = build('ClusterPruner', 'AttentionRecoverer').backbone
    modules = toy(4, recoverer=AttentionRecoverer(NUM_FRAMES, 8)).eval()
    modules.load_state_dict(config.state_dict())
    torch.testing.assert_close(modules(windows()), config(windows()), rtol=0, atol=0)


def test_weights_of_another_keep_count_are_resampled(monkeypatch):
    said = []
    monkeypatch.setattr(host, 'print_log', lambda text, _: said.append(text))
    trained, fewer = (
        toy(keep, recoverer=dict(type='AttentionRecoverer')) for keep in (9, 5)
    )
    key = 'hourglass.slot_embeddings.0'
    nn.init.normal_(trained.get_parameter(key))
    weights = trained.state_dict()
    fewer.load_state_dict(weights)
    torch.testing.assert_close(fewer.get_parameter(key), weights[key][::2])
    torch.testing.assert_close(
        fewer(windows()), trained.encode(windows(), keep=5).feats
    )
    assert said == [f'{key}: 9 slots resampled to the 5 kept frames']
    # the checkpoint itself stays as it is
    assert len(weights[key]) == 9
    weights[key] = torch.zeros(9, 4)
    with pytest.raises(RuntimeError, match=f'size mismatch for {key}'):
        fewer.load_state_dict(weights)


@torch.no_grad()
def test_poses_are_recovered_after_the_head():
    model = build('UniformPruner', 'InterpolationRecoverer')
    assert not model.backbone.hourglass.state_dict()
    feats = model.extract_feat(windows())
    assert feats.feats.shape == (2, 4, NUM_KEYPOINTS, 8)
    assert feats.frames is None
    assert feats.recover(feats.feats).shape == (2, NUM_FRAMES, NUM_KEYPOINTS, 8)
