"""Hosts of HoT with any pruner and recoverer."""

import pytest
import torch
from hosts import HOSTS, NUM_FRAMES, PRUNER, PRUNERS, TRA, TRI, build_lifter, windows
from mmpose.registry import MODELS
from published import samples


@torch.no_grad()
@pytest.mark.parametrize('host', HOSTS)
def test_hourglass_that_keeps_all_frames_equals_the_plain_host(host):
    plain = build_lifter(host)
    pruner = dict(type='ClusterPruner', num_keep=NUM_FRAMES, depth=1)
    pruned = build_lifter(host, pruner)
    pruned.load_state_dict(plain.state_dict(), strict=True)
    poses, kept = pruned(windows())
    torch.testing.assert_close(poses, plain(windows()))
    torch.testing.assert_close(kept, torch.arange(NUM_FRAMES).expand(2, -1))


@torch.no_grad()
@pytest.mark.parametrize('host', ['MixSTE', 'MotionBERT', 'MotionAGFormer'])
def test_every_second_frame_alone_equals_a_host_of_fewer_frames(host):
    pruner = dict(type='UniformPruner', num_keep=5, depth=0)
    pruned = build_lifter(host, pruner, TRI)
    plain = build_lifter(host, num_frames=5)
    sizes = {key: value.shape for key, value in plain.state_dict().items()}
    state = pruned.state_dict()
    for key, value in state.items():
        if value.shape != sizes[key]:  # positions of the frames
            axis = value.shape.index(NUM_FRAMES)
            state[key] = value.index_select(axis, torch.arange(0, NUM_FRAMES, 2))
    plain.load_state_dict(state)
    poses = pruned(windows())
    torch.testing.assert_close(poses[:, ::2], plain(windows()[:, ::2]))
    torch.testing.assert_close(poses[:, 1], (poses[:, 0] + poses[:, 2]) / 2)


@pytest.mark.parametrize('host', HOSTS)
def test_sine_start_survives_init_weights(host):
    recoverer = dict(**TRA, sine_start=True)
    model = MODELS.build(
        dict(type=host, **HOSTS[host], pruner=PRUNER, recoverer=recoverer)
    )
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model.init_weights()
    attention = model.hourglass.recoverer.attention
    torch.testing.assert_close(
        attention.key.weight, attention.query.weight, rtol=0, atol=0
    )
    torch.testing.assert_close(attention.key.bias, attention.query.bias, rtol=0, atol=0)
    for key in ('recoverer.queries', 'slot_embeddings.0'):
        torch.testing.assert_close(
            model.state_dict()[f'hourglass.{key}'], before[f'hourglass.{key}']
        )
    # unlike MMPose's deviation of 0.02, with which all frames are alike
    bound = attention.query.in_features**-0.5
    assert 0.4 * bound < attention.query.weight.std() < 0.8 * bound


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
        torch.testing.assert_close(kept, torch.cat([each[1] for each in alone]))
        alone = [each[0] for each in alone]
    else:
        poses = together
        assert poses.shape == (2, NUM_FRAMES, 17, 3)
    torch.testing.assert_close(poses, torch.cat(alone))


@torch.no_grad()
@pytest.mark.parametrize('host', HOSTS)
def test_attention_pruner_keeps_frames_of_highest_attention(host):
    model = build_lifter(host, 'AttentionPruner', TRA)
    seen = []
    model.backbone.hourglass.pruners[0].register_forward_hook(
        lambda _, args, kept: seen.append((args[0].received, kept[0]))
    )
    model(windows())
    ((received, kept),) = seen
    torch.testing.assert_close(received.sum(1), torch.ones(2))
    torch.testing.assert_close(received.topk(4).indices.sort().values, kept)


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
