"""The hourglass and its recoverers, around layers of one weight."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from mmhot.models.tokens import hourglass
from mmhot.models.tokens.hourglass import Hourglass
from mmhot.models.tokens.recoverers import (
    AttentionRecoverer,
    InterpolationRecoverer,
    TimedAttentionRecoverer,
)

EXACT = {'rtol': 0, 'atol': 0}
KINDS = ['ClusterPruner', 'AttentionPruner', 'MotionPruner', 'UniformPruner']


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
    pruners = [
        dict(type=kind, num_keep=keep, depth=depth) for kind, keep, depth in pruners
    ]
    return Hourglass(num_frames, 4, 8, pruners or None, recoverer, 2, **options)


@pytest.mark.parametrize('kind', KINDS)
def test_pruners_keep_sorted_frames_alone_as_in_a_batch(kind):
    hourglass = build((kind, 9, 2)).eval()
    x = torch.randn(3, 27, 4, 8)
    kept = run(hourglass, x).kept
    assert (kept.diff(dim=1) > 0).all()
    assert (kept == 13).any(1).all()  # nothing recovers it: the center is kept
    for sample, alone in zip(x, kept, strict=True):
        assert_close(run(hourglass, sample[None]).kept[0], alone)


@pytest.mark.parametrize('kind', KINDS)
def test_second_pruner_chooses_among_the_kept_frames(kind):
    hourglass = build((kind, 13, 1), (kind, 5, 3))
    assert hourglass.lengths == [27, 13, 13, 5]
    feats = run(hourglass, torch.randn(2, 27, 4, 8))
    first, second = feats.kept_by_pruner
    assert (first.shape, second.shape) == ((2, 13), (2, 5))
    for before, after in zip(first.tolist(), second.tolist(), strict=True):
        assert set(after) < set(before)
        assert 13 in after


def test_kept_tokens_are_those_of_the_kept_frames():
    x = torch.randn(2, 27, 4, 8)
    feats = run(build(('ClusterPruner', 9, 2)), x)
    wanted = torch.stack([s[k] for s, k in zip(x, feats.kept, strict=True)])
    assert_close(feats.feats, wanted, **EXACT)
    assert_close(feats.frames, feats.kept)


def test_without_a_pruner_tokens_are_unchanged():
    hourglass, x = build(), torch.randn(2, 27, 4, 8)
    assert not hourglass.state_dict()
    assert (hourglass.num_outputs, hourglass.lengths) == (27, [27] * 4)
    assert_close(run(hourglass, x), x, **EXACT)


def test_given_frames_are_kept_instead():
    hourglass = build(('ClusterPruner', 9, 1), ('UniformPruner', 3, 2))
    first = torch.tensor([[0, 5, 6, 20, 26], [1, 2, 3, 4, 5]])
    second = first[:, [0, 2]]
    feats = run(hourglass, torch.randn(2, 27, 4, 8), kept=(first, second))
    assert_close(feats.kept_by_pruner, (first, second))


def test_frames_given_for_two_pruners_must_nest():
    hourglass = build(('ClusterPruner', 9, 1), ('UniformPruner', 3, 2))
    kept = (torch.tensor([[0, 5, 6]]), torch.tensor([[4]]))
    with pytest.raises(ValueError, match='an earlier pruner does not keep'):
        run(hourglass, torch.randn(1, 27, 4, 8), kept=kept)


@pytest.mark.parametrize('kept', [[[3, 2]], [[0, 27]], [[-1, 3]], [[1, 1]]])
def test_given_frames_out_of_order_or_range_are_refused(kept):
    hourglass = build(('ClusterPruner', 9, 1))
    with pytest.raises(ValueError, match='kept must be sorted frames from 0 to 26'):
        run(hourglass, torch.randn(1, 27, 4, 8), kept=torch.tensor(kept))


@pytest.mark.parametrize(
    ('kept', 'message'),
    [
        (torch.zeros(1, 0, dtype=torch.long), r'\(1, t\), got torch.int64 \(1, 0\)'),
        (torch.tensor([[0.0, 1.0]]), r'sorted frames .* got torch.float32'),
        ([[0, 1]], 'kept must be tensors, one for each pruner, got list'),
        (torch.tensor([[0, 1], [0, 1]]), r'\(1, t\), got torch.int64 \(2, 2\)'),
    ],
)
def test_given_frames_of_another_type_or_shape_are_refused(kept, message):
    hourglass = build(('ClusterPruner', 9, 1))
    with pytest.raises(ValueError, match=message):
        run(hourglass, torch.randn(1, 27, 4, 8), kept=kept)


def test_frames_given_for_the_second_pruner_must_be_fewer():
    hourglass = build(('ClusterPruner', 9, 1), ('UniformPruner', 3, 2))
    kept = torch.tensor([[0, 5, 6]])
    with pytest.raises(ValueError, match='the length of kept must be from 1 to 2'):
        run(hourglass, torch.randn(1, 27, 4, 8), kept=(kept, kept))


@pytest.mark.parametrize('keep', [9.0, '9', True, 0, 28, [5, 3]])
def test_invalid_keep_counts_are_refused(keep):
    hourglass = build(('ClusterPruner', 9, 1))
    with pytest.raises(ValueError, match=r'^keep must be .*, got '):
        run(hourglass, torch.randn(1, 27, 4, 8), keep=keep)


def test_keep_count_may_be_a_numpy_integer():
    feats = run(
        build(('ClusterPruner', 9, 1)), torch.randn(1, 27, 4, 8), keep=np.int64(5)
    )
    assert feats.kept.shape == (1, 5)


@pytest.mark.parametrize('recoverer', [{'type': 'AttentionRecover'}, {'mode': 'x'}])
def test_unknown_recoverers_are_named(recoverer):
    with pytest.raises(ValueError, match='recoverer needs a type, AttentionRecoverer'):
        build(('ClusterPruner', 9, 1), recoverer=recoverer)


def test_recoverer_may_be_a_class():
    hourglass = build(('ClusterPruner', 9, 1), recoverer=dict(type=AttentionRecoverer))
    assert hourglass.recoverer.queries.shape == (27, 8)


def test_keep_count_changes_after_building():
    hourglass = build(
        ('ClusterPruner', 9, 1), recoverer=dict(type='AttentionRecoverer')
    )
    nn.init.normal_(hourglass.slot_embeddings[0])
    feats = run(hourglass, torch.randn(2, 27, 4, 8), keep=5)
    assert feats.kept.shape == (2, 5)
    assert feats.feats.shape == (2, 27, 4, 8)
    # of nine places in time every second is left
    stretched = hourglass._embed_slots(torch.zeros(1, 5, 4, 8), 0)[0, :, 0]
    assert_close(stretched, hourglass.slot_embeddings[0][::2])


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


def test_recoverers_with_and_without_times_have_the_same_parameters():
    plain, timed = (
        build(('ClusterPruner', 9, 1), recoverer=dict(type=f'{name}AttentionRecoverer'))
        for name in ('', 'Timed')
    )
    shapes = {name: x.shape for name, x in plain.state_dict().items()}
    assert shapes == {name: x.shape for name, x in timed.state_dict().items()}


def test_recovery_tokens_are_zeros_by_default():
    hourglass = build(
        ('UniformPruner', 9, 1), recoverer=dict(type='AttentionRecoverer')
    )
    tables = [hourglass.recoverer.queries, hourglass.slot_embeddings[0]]
    assert [len(table) for table in tables] == [27, 9]
    assert not any(table.any() for table in tables)


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
    assert_close(fewer.slot_embeddings[0], trained.slot_embeddings[0][::2])
    x = torch.randn(2, 27, 4, 8)
    assert_close(run(fewer, x).feats, run(trained, x, keep=5).feats)
    assert said == ['slot_embeddings.0: 9 slots resampled to the 5 kept frames']
    # the checkpoint itself stays as it is
    assert len(weights['slot_embeddings.0']) == 9
    weights['slot_embeddings.0'] = torch.zeros(9, 4)
    with pytest.raises(RuntimeError, match='size mismatch for slot_embeddings.0'):
        fewer.load_state_dict(weights)


@pytest.mark.parametrize(
    ('keep', 'message'),
    [
        (28, 'keep must be from 1 to 27, got 28'),
        (0, 'from 1 to 27, got 0'),
        ([9, 5], 'a number for each of 1 pruners'),
    ],
)
def test_keep_counts_that_do_not_fit_are_named(keep, message):
    hourglass = build(('ClusterPruner', 9, 1))
    with pytest.raises(ValueError, match=message):
        run(hourglass, torch.randn(1, 27, 4, 8), keep=keep)


def test_fixed_lengths_refuse_other_keep_counts():
    hourglass = build(('ClusterPruner', 9, 1), fixed_lengths=True)
    assert run(hourglass, torch.randn(1, 27, 4, 8), keep=9).kept.shape == (1, 9)
    with pytest.raises(
        ValueError, match='keep=5 cannot be changed.*built for 9 frames'
    ):
        run(hourglass, torch.randn(1, 27, 4, 8), keep=5)


@pytest.mark.parametrize(
    ('pruners', 'message'),
    [
        ([('ClusterPruner', 28, 1)], 'num_keep must be from 1 to 27, got 28'),
        ([('ClusterPruner', 9, 4)], 'before layers 0 to 3 of this model, got depth=4'),
        ([('ClusterPruner', 9, 1.5)], 'before layers 0 to 3 of this model, got dep'),
        ([('AttentionPruner', 9, 0)], 'AttentionPruner prunes before layers 1 to 3'),
        ([('UniformPruner', 9, 2), ('UniformPruner', 5, 2)], 'depth of pruners must'),
        ([('UniformPruner', 9, 1), ('UniformPruner', 9, 2)], 'from 1 to 8, got 9'),
    ],
)
def test_pruners_that_do_not_fit_are_refused(pruners, message):
    with pytest.raises(ValueError, match=message):
        build(*pruners)


@pytest.mark.parametrize('sizes', [(0, 4), (27, 0)])
def test_no_frames_or_layers_are_refused(sizes):
    with pytest.raises(ValueError, match='must be at least 1, got 0'):
        Hourglass(*sizes, 8)


def test_keep_center_after_a_pruner_without_it_is_refused():
    pruners = [
        dict(type='UniformPruner', num_keep=9, depth=1, keep_center=False),
        dict(type='UniformPruner', num_keep=3, depth=2),
    ]
    with pytest.raises(ValueError, match='needs keep_center of those before it'):
        Hourglass(27, 4, 8, pruners)


def test_recoverer_alone_is_refused():
    with pytest.raises(ValueError, match='a recoverer needs a pruner'):
        build(recoverer=dict(type='InterpolationRecoverer'))


def test_attention_recoverer_treats_keypoints_separately():
    recoverer = AttentionRecoverer(7, 8, num_heads=2)
    tokens = torch.randn(2, 3, 5, 8)
    assert_close(
        recoverer(tokens[:, :1].expand(-1, 3, -1, -1), None, 7),
        # of equal tokens attention takes any: the value, projected
        recoverer.attention.proj(recoverer.attention.value(tokens[:, :1])).expand(
            -1, 7, -1, -1
        ),
    )
    nn.init.normal_(recoverer.queries)
    recovered = recoverer(tokens, None, 7)
    assert_close(recoverer(tokens, None, 4), recovered[:, :4])
    # each keypoint by itself, and kept frames in any order
    assert_close(recoverer(tokens[:, [2, 0, 1], 1:2], None, 7), recovered[:, :, 1:2])


def test_interpolation_is_linear_between_kept_frames_and_constant_outside():
    kept = torch.tensor([[1, 3, 7]])
    poses = torch.tensor([[10.0, 20.0, 0.0]])[..., None, None]
    linear = InterpolationRecoverer()(poses, kept, 9)
    assert linear.flatten().tolist() == [10, 10, 15, 20, 15, 10, 5, 0, 0]
    nearest = InterpolationRecoverer('nearest')(poses, kept, 9)
    assert nearest.flatten().tolist() == [10, 10, 10, 20, 20, 20, 0, 0, 0]


def test_interpolation_of_one_frame_repeats_its_pose():
    poses = InterpolationRecoverer()(
        torch.rand(2, 1, 4, 3), torch.tensor([[2], [0]]), 5
    )
    assert_close(poses, poses[:, :1].expand(-1, 5, -1, -1), **EXACT)


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
    assert_close(poses[0, :, 0, 0], torch.arange(27.0))


def test_gradients_reach_every_parameter():
    hourglass = build(
        *[('ClusterPruner', 13, 1), ('UniformPruner', 5, 3)],
        recoverer=dict(type='AttentionRecoverer'),
    )
    x = torch.randn(2, 27, 4, 8, requires_grad=True)
    for parameter in hourglass.parameters():
        nn.init.normal_(parameter)
    run(hourglass, x).feats.square().sum().backward()
    for name, parameter in hourglass.named_parameters():
        # attention does not notice what is added to all keys
        if name != 'recoverer.attention.key.bias':
            assert parameter.grad.abs().max() > 0, name
    kept = x.grad.abs().sum((0, 2, 3)) > 0
    assert kept.sum() <= 10  # five frames a sample
