"""The hourglass and its recoverers, around layers of one weight."""

import pytest
import torch
from hosts import PRUNERS
from torch import nn

from mmhot.models.tokens import hourglass
from mmhot.models.tokens.hourglass import Hourglass
from mmhot.models.tokens.recoverers import (
    InterpolationRecoverer,
    TimedAttentionRecoverer,
)


class WatchedLayer(nn.Module):
    """A layer of one weight, whose frames receive attention as their first channel."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return x * self.weight

    def watch(self, x):
        return self(x), x.mean(2)[..., 0]


def run(hourglass, x, poses=None, **options):
    """Run a host of plain layers."""
    layers = [WatchedLayer() for _ in range(hourglass.num_layers)]
    poses = x[..., :2] if poses is None else poses
    x, stages = hourglass(x, layers, lambda x: x.mean(2), poses, **options)
    return hourglass.recover(x, stages, poses.shape[1])


def build(*pruners, recoverer=None, num_frames=27, **options):
    pruners = [dict(type=kind, num_keep=keep, depth=at) for kind, keep, at in pruners]
    return Hourglass(num_frames, 4, 8, pruners or None, recoverer, 2, **options)


@pytest.mark.parametrize('kind', PRUNERS)
def test_second_pruner_chooses_among_the_kept_frames(kind):
    hourglass = build((kind, 13, 1), (kind, 5, 3))
    assert hourglass.lengths == [27, 13, 13, 5]
    first, second = run(hourglass, torch.randn(2, 27, 4, 8)).kept_by_pruner
    assert (first.shape, second.shape) == ((2, 13), (2, 5))
    for before, after in zip(first.tolist(), second.tolist(), strict=True):
        assert set(after) < set(before)
        assert 13 in after


def test_given_frames_are_kept_instead():
    hourglass = build(('ClusterPruner', 9, 1), ('UniformPruner', 3, 2))
    first = torch.tensor([[0, 5, 6, 20, 26], [1, 2, 3, 4, 5]])
    second = first[:, [0, 2]]
    feats = run(hourglass, torch.randn(2, 27, 4, 8), kept=(first, second))
    torch.testing.assert_close(feats.kept_by_pruner, (first, second))


@pytest.mark.parametrize('keep', [9.0, '9', True, 0, 28, [5, 3]])
def test_invalid_keep_counts_are_refused(keep):
    hourglass = build(('ClusterPruner', 9, 1))
    with pytest.raises(ValueError, match=r'^keep must be .*, got '):
        run(hourglass, torch.randn(1, 27, 4, 8), keep=keep)


def test_keep_count_changes_after_building():
    hourglass = build(
        ('ClusterPruner', 9, 1), recoverer=dict(type='AttentionRecoverer')
    )
    nn.init.normal_(hourglass.slot_embeddings[0])
    feats = run(hourglass, torch.randn(2, 27, 4, 8), keep=5)
    assert feats.kept.shape == (2, 5)
    assert feats.feats.shape == (2, 27, 4, 8)
    # every second of nine places in time is left
    stretched = hourglass._embed_slots(torch.zeros(1, 5, 4, 8), 0)[0, :, 0]
    torch.testing.assert_close(stretched, hourglass.slot_embeddings[0][::2])


@torch.no_grad()
@pytest.mark.parametrize('keep', [27, 9])
def test_sine_start_attends_to_nearby_kept_frames(keep):
    torch.manual_seed(0)
    recoverer = dict(type='AttentionRecoverer', sine_start=True)
    pruner = dict(type='UniformPruner', num_keep=keep, depth=1)
    hourglass = Hourglass(27, 4, 64, pruner, recoverer)
    attention = hourglass.recoverer.attention
    q = attention.query(hourglass.recoverer.queries)
    k = attention.key(hourglass.slot_embeddings[0])
    (kept,) = run(hourglass, torch.zeros(1, 27, 4, 64)).kept
    nearest = (torch.arange(27)[:, None] - kept).abs()
    chosen = (q @ k.T).argmax(1)
    distance = nearest.gather(1, chosen[:, None])[:, 0] - nearest.min(1).values
    # half a slot is as near as the next
    assert distance.max() <= 27 / keep / 2
    assert (distance == 0).float().mean() > 0.6


@torch.no_grad()
@pytest.mark.parametrize(
    ('kept', 'most'), [(range(0, 27, 3), 0.35), ([0, 1, 2, 7, 8, 13, 19, 24, 26], 0.5)]
)
def test_times_start_as_a_mean_of_neighbors(kept, most):
    torch.manual_seed(0)
    recoverer = TimedAttentionRecoverer(27, 64, num_heads=4)
    moments = torch.linspace(0, 1, 27)[:, None, None]
    tokens = 0.2 * moments * torch.randn(2, 1, 5, 64) + torch.randn(2, 1, 5, 64)
    kept = torch.tensor([*kept]).expand(2, -1)
    found = recoverer(tokens[:, kept[0]], kept, 27)
    change = (tokens - tokens.mean(1, keepdim=True)).std()
    assert (found - tokens).std() < most * change


def test_weights_of_another_keep_count_are_resampled(monkeypatch):
    said = []
    monkeypatch.setattr(hourglass, 'print_log', lambda text, _: said.append(text))
    trained, fewer = (
        build(('ClusterPruner', keep, 1), recoverer=dict(type='AttentionRecoverer'))
        for keep in (9, 5)
    )
    nn.init.normal_(trained.slot_embeddings[0])
    weights = trained.state_dict()
    fewer.load_state_dict(weights)
    torch.testing.assert_close(
        fewer.slot_embeddings[0], trained.slot_embeddings[0][::2]
    )
    x = torch.randn(2, 27, 4, 8)
    torch.testing.assert_close(run(fewer, x).feats, run(trained, x, keep=5).feats)
    assert said == ['slot_embeddings.0: 9 slots resampled to the 5 kept frames']
    # the checkpoint itself stays as it is
    assert len(weights['slot_embeddings.0']) == 9
    weights['slot_embeddings.0'] = torch.zeros(9, 4)
    with pytest.raises(RuntimeError, match='size mismatch for slot_embeddings.0'):
        fewer.load_state_dict(weights)


def test_interpolation_is_linear_between_kept_frames_and_constant_outside():
    kept = torch.tensor([[1, 3, 7]])
    poses = torch.tensor([[10.0, 20.0, 0.0]])[..., None, None]
    linear = InterpolationRecoverer()(poses, kept, 9)
    assert linear.flatten().tolist() == [10, 10, 15, 20, 15, 10, 5, 0, 0]


def test_poses_are_recovered_after_the_head():
    hourglass = build(
        ('UniformPruner', 9, 1), recoverer=dict(type='InterpolationRecoverer')
    )
    assert not hourglass.state_dict()
    assert hourglass.num_outputs == 27
    feats = run(hourglass, torch.arange(27.0)[None, :, None, None].expand(2, -1, 4, 8))
    assert feats.feats.shape == (2, 9, 4, 8)
    assert feats.frames is None
    poses = feats.recover(feats.feats)
    torch.testing.assert_close(poses[0, :, 0, 0], torch.arange(27.0))
