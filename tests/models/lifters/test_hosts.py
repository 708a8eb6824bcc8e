"""Hosts of HoT with any pruner and recoverer."""

import pytest
import torch
from hosts import (
    HOSTS,
    NUM_FRAMES,
    PRUNER,
    PRUNERS,
    TRA,
    TRI,
    build_lifter,
    windows,
)
from mmpose.registry import MODELS
from published import load_fixture, samples
from torch import nn
from torch.testing import assert_close

from mmhot.evaluation.cost import count_cost
from mmhot.weights.checkpoints import convert_published


@torch.no_grad()
@pytest.mark.parametrize('host', HOSTS)
def test_values_per_frame_is_the_size_of_a_frames_tokens(host):
    backbone = build_lifter(host).backbone
    seen = []
    backbone.hourglass.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    backbone(windows(batch=3))
    assert seen[0].numel() == 3 * NUM_FRAMES * backbone.values_per_frame


@torch.no_grad()
@pytest.mark.parametrize('host', HOSTS)
def test_hourglass_that_keeps_all_frames_equals_the_plain_host(host):
    plain = build_lifter(host)
    pruner = dict(type='ClusterPruner', num_keep=NUM_FRAMES, depth=1)
    pruned = build_lifter(host, pruner)
    pruned.load_state_dict(plain.state_dict(), strict=True)
    poses, kept = pruned(windows())
    assert_close(poses, plain(windows()))
    assert_close(kept, torch.arange(NUM_FRAMES).expand(2, -1))


@pytest.mark.parametrize('host', HOSTS)
def test_sine_start_survives_init_weights(host):
    recoverer = dict(**TRA, sine_start=True)
    model = MODELS.build(
        dict(type=host, **HOSTS[host], pruner=PRUNER, recoverer=recoverer)
    )
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model.init_weights()
    attention = model.hourglass.recoverer.attention
    assert_close(attention.key.weight, attention.query.weight, rtol=0, atol=0)
    assert_close(attention.key.bias, attention.query.bias, rtol=0, atol=0)
    for key in ('recoverer.queries', 'slot_embeddings.0'):
        assert_close(model.state_dict()[f'hourglass.{key}'], before[f'hourglass.{key}'])
    # unlike MMPose's deviation of 0.02, with which all frames are alike
    bound = attention.query.in_features**-0.5
    assert 0.4 * bound < attention.query.weight.std() < 0.8 * bound


def test_motionbert_accepts_a_list_of_init_cfgs():
    config = dict(type='MotionBERT', **HOSTS['MotionBERT'])
    model = MODELS.build(dict(**config, init_cfg=[dict(type='Xavier', layer='Conv2d')]))
    model.init_weights()
    assert model.attn_regress[0].bias.tolist() == [0.5, 0.5]


@torch.no_grad()
@pytest.mark.parametrize('recoverer', [None, TRA, TRI], ids=['none', 'TRA', 'TRI'])
@pytest.mark.parametrize('pruner', PRUNERS)
@pytest.mark.parametrize('host', HOSTS)
def test_batch_gives_the_same_as_single_samples(host, pruner, recoverer):
    model = build_lifter(host, pruner, recoverer)
    together = model(windows())
    alone = [model(window[None]) for window in windows()]
    if recoverer is None:
        poses, kept = together
        assert (kept == NUM_FRAMES // 2).any(1).all()
        assert_close(kept, torch.cat([each[1] for each in alone]))
        alone = [each[0] for each in alone]
    else:
        poses = together
        assert poses.shape == (2, NUM_FRAMES, 17, 3)
    assert_close(poses, torch.cat(alone))


@torch.no_grad()
@pytest.mark.parametrize('host', HOSTS)
def test_attention_pruner_keeps_frames_of_highest_attention(host):
    model = build_lifter(host, 'AttentionPruner', TRA)
    seen = []
    model.backbone.hourglass.pruners[0].register_forward_hook(
        lambda _, args, kept: seen.append((args[0].received, kept))
    )
    model(windows())
    ((received, kept),) = seen
    assert_close(received.sum(1), torch.ones(2))
    assert_close(received.topk(4).indices.sort().values, kept)


@torch.no_grad()
@pytest.mark.parametrize('host', HOSTS)
def test_given_frames_reproduce_the_chosen_ones(host):
    model = build_lifter(host, 'ClusterPruner')
    poses, kept = model(windows())
    assert_close(model(windows(), kept=kept), (poses, kept))


@pytest.mark.parametrize('host', HOSTS)
def test_gradients_reach_every_parameter_through_pruning(host):
    model = build_lifter(host, 'ClusterPruner', TRA).train()
    target = torch.randn(2, NUM_FRAMES, 17, 3)
    batch = samples(
        *[2],
        lifting_target_label=target,
        lifting_target_weight=torch.ones(target.shape[:-1]),
    )
    model(windows(), batch, mode='loss')['loss_pose3d'].backward()
    without = [name for name, each in model.named_parameters() if each.grad is None]
    assert not without


@pytest.mark.parametrize('recoverer', [None, TRA, TRI], ids=['none', 'TRA', 'TRI'])
@pytest.mark.parametrize('host', HOSTS)
def test_mixed_precision_trains(host, recoverer):
    model = build_lifter(host, 'AttentionPruner', recoverer).train()
    batch = samples(
        2,
        lifting_target_label=torch.zeros(2, NUM_FRAMES, 17, 3),
        lifting_target_weight=torch.ones(2, NUM_FRAMES, 17),
    )
    with torch.autocast('cpu', torch.bfloat16):
        loss = model(windows(), batch, mode='loss')['loss_pose3d']
    loss.backward()
    assert all(each.grad.isfinite().all() for each in model.parameters())


@pytest.mark.parametrize('host', ['MixSTE', 'MHFormer', 'MotionBERT', 'MotionAGFormer'])
def test_empty_batch_is_refused(host):
    with pytest.raises(ValueError, match=r'needs poses \(B, .*got \(0, '):
        build_lifter(host)(windows()[:0])


@torch.no_grad()
@pytest.mark.parametrize('host', ['MixSTE', 'MotionBERT', 'MHFormer'])
def test_given_frames_without_the_center_are_all_returned(host):
    backbone = build_lifter(host, 'ClusterPruner').backbone
    kept = torch.tensor([[0, 3, 5], [0, 4, 5]])
    feats = backbone.encode(windows(), kept=kept, center=True)
    assert_close(feats.frames, kept)
    assert_close(feats.feats, backbone.encode(windows(), kept=kept).feats)


@pytest.mark.parametrize('host', HOSTS)
def test_windows_of_other_sizes_are_refused(host):
    with pytest.raises(ValueError, match=f'{host} needs poses .B, .*9, 17, 2., got'):
        build_lifter(host)(torch.zeros(1, 10, 17, 2))


@torch.no_grad()
@pytest.mark.parametrize('frames', [NUM_FRAMES, 5])
def test_weights_of_mmposes_motionbert_load_unchanged(frames):
    sizes = dict(in_channels=3, depth=2, num_heads=4, mlp_ratio=2)
    theirs = MODELS.build(
        dict(
            type='PoseLifter',
            backbone=dict(type='DSTFormer', feat_size=16, seq_len=NUM_FRAMES, **sizes),
            head=dict(type='MotionRegressionHead', in_channels=16, embedding_size=24),
        )
    ).eval()
    ours = MODELS.build(
        dict(
            type='SequencePoseLifter',
            backbone=dict(
                type='MotionBERT', embed_dims=16, num_frames=NUM_FRAMES, **sizes
            ),
            head=dict(type='RepresentationHead', in_channels=16, rep_dims=24),
        )
    ).eval()
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.3)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    x = torch.randn(2, frames, 17, 3)
    assert_close(ours(x), theirs(x, None, mode='tensor'), rtol=0, atol=1e-5)


def test_motionbert_initially_averages_its_streams_evenly():
    backbone = build_lifter('MotionBERT').backbone
    backbone.init_weights()
    for fusion in backbone.attn_regress:
        assert fusion.weight.abs().max() == 0
        assert (fusion.bias == 0.5).all()


def _saved(embed_dims):
    """Billions of operations saved by projecting recovery queries once."""
    return 16 * 243 * embed_dims**2 / 1e9


def _distances(embed_dims):
    """Billions of operations of the distances between frames."""
    rows = (64, 64, 64, 51)
    pairs = sum(count * sum(rows[place:]) for place, count in enumerate(rows))
    return pairs * embed_dims / 1e9


# Millions of parameters and billions of operations, of linear layers and of products,
# of the published networks at batch 1.
COSTS = {
    'mixste': (33.784, 138.624, 8.799),
    'hot_mixste': (35.000, 83.756 - _saved(512), 4.333 + _distances(512)),
    'tpc_mixste': (33.784, 125.642, 7.782 + _distances(512)),
    'motionbert': (16.002, 65.547, 5.499),
    'hot_motionbert': (16.348, 31.604 - _saved(256), 1.824 + _distances(256)),
}


@pytest.mark.parametrize('name', COSTS)
def test_cost_is_that_of_the_published_network(name):
    meta, arrays = load_fixture(name)
    state = {key: torch.zeros(shape) for key, (shape, _) in meta['state'].items()}
    config, _ = convert_published(state, **meta['config'])
    x = torch.empty(1, *arrays['input__x'].shape[1:], device='meta')
    cost = count_cost(MODELS.build(config).to('meta'), x)
    found = (cost.parameters / 1e6, cost.weight_macs / 1e9, cost.product_macs / 1e9)
    assert_close(found, COSTS[name], rtol=0, atol=1.1e-3)


@torch.no_grad()
@pytest.mark.filterwarnings('ignore::torch.jit.TracerWarning')
def test_traced_graph_convolution_handles_equal_frames():
    model = build_lifter('MotionAGFormer', 'ClusterPruner', TRA)
    for name, parameter in model.named_parameters():
        if 'scale' in name:
            nn.init.constant_(parameter, 0.5)
    recorded = torch.jit.trace(model, windows(), check_trace=False)
    frames = torch.arange(NUM_FRAMES).clamp(min=NUM_FRAMES // 2)  # as before a clip
    padded = windows()[:, frames].contiguous()
    assert_close(recorded(padded), model(padded))
