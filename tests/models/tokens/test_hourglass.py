"""The hourglass and its recoverers, around layers of one weight."""

import pytest
import torch
from hosts import PRUNERS
from torch import nn

from mmhot.models.tokens import pruners
from mmhot.models.tokens.hourglass import Hourglass
from mmhot.models.tokens.recoverers import (
    AttentionRecoverer,
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
    """Run a host of plain layers: tokens, and the frames that each pruner kept."""
    layers = [WatchedLayer() for _ in range(hourglass.num_layers)]
    poses = x[..., :2] if poses is None else poses
    return hourglass(x, layers, lambda x: x.mean(2), poses, **options)


def build(*stages, recoverer=None, num_frames=27):
    parts = [getattr(pruners, kind)(keep, at) for kind, keep, at in stages]
    return Hourglass(num_frames, 4, parts, recoverer)


@pytest.mark.parametrize('kind', PRUNERS)
def test_second_pruner_chooses_among_the_kept_frames(kind):
    hourglass = build((kind, 13, 1), (kind, 5, 3))
    assert hourglass.lengths == [27, 13, 13, 5]
    _, (first, second) = run(hourglass, torch.randn(2, 27, 4, 8))
    assert (first.shape, second.shape) == ((2, 13), (2, 5))
    for before, after in zip(first.tolist(), second.tolist(), strict=True):
        assert set(after) < set(before)
        assert 13 in after


def test_given_frames_are_kept_instead():
    hourglass = build(('ClusterPruner', 9, 1), ('UniformPruner', 3, 2))
    first = torch.tensor([[0, 5, 6, 20, 26], [1, 2, 3, 4, 5]])
    second = first[:, [0, 2]]
    _, kept = run(hourglass, torch.randn(2, 27, 4, 8), kept=(first, second))
    torch.testing.assert_close(kept, (first, second))


@pytest.mark.parametrize('keep', [9.0, '9', True, 0, 28, [5, 3]])
def test_invalid_keep_counts_are_refused(keep):
    hourglass = build(('ClusterPruner', 9, 1))
    with pytest.raises(ValueError, match=r'^keep must be .*, got '):
        run(hourglass, torch.randn(1, 27, 4, 8), keep=keep)


def test_keep_count_changes_after_building():
    hourglass = build(('ClusterPruner', 9, 1), recoverer=AttentionRecoverer(27, 8))
    nn.init.normal_(hourglass.slot_embeddings[0])
    x, (kept,) = run(hourglass, torch.randn(2, 27, 4, 8), keep=5)
    assert kept.shape == (2, 5)
    assert x.shape == (2, 5, 4, 8)
    # every second of nine places in time is left
    stretched = hourglass.keep_slots(0, torch.zeros(1, 27, 4, 8), kept[:1])[0, :, 0]
    torch.testing.assert_close(stretched, hourglass.slot_embeddings[0][::2])


@torch.no_grad()
@pytest.mark.parametrize('keep', [27, 9])
def test_sine_start_attends_to_nearby_kept_frames(keep):
    torch.manual_seed(0)
    recoverer = AttentionRecoverer(27, 64, sine_start=True)
    hourglass = build(('UniformPruner', keep, 1), recoverer=recoverer)
    attention = hourglass.recoverer.attention
    q = attention.query(hourglass.recoverer.queries)
    k = attention.key(hourglass.slot_embeddings[0])
    _, ((kept,),) = run(hourglass, torch.zeros(1, 27, 4, 64))
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


def test_interpolation_is_linear_between_kept_frames_and_constant_outside():
    kept = torch.tensor([[1, 3, 7]])
    poses = torch.tensor([[10.0, 20.0, 0.0]])[..., None, None]
    linear = InterpolationRecoverer()(poses, kept, 9)
    assert linear.flatten().tolist() == [10, 10, 15, 20, 15, 10, 5, 0, 0]
