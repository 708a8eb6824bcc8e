"""Lifters and GTPT train in mixed precision without a GPU."""

import pytest
import torch
from gtpt_models import labeled_samples, random_people
from hosts import HOSTS, NUM_FRAMES, TRA, build_lifter
from mmpose.registry import MODELS, OPTIM_WRAPPERS
from published import samples

from mmhot.models.tokens.pruners import ClusterPruner, Frames, MotionPruner
from tools.train import use_mixed_precision

SMALL = dict(mlp_dims=16, graph_dims=12, depth=1)
TCN = dict(type='TCN', in_channels=34, stem_channels=16, num_blocks=1)
LIFTERS = {
    'HTNet': (1, dict(type='HTNet', embed_dims=24, **SMALL), dict(in_channels=24)),
    'NanoHTNet': (
        9,
        dict(
            type='NanoHTNet',
            num_frames=9,
            num_keep_frames=9,
            embed_dims=48,
            branch_dims=2,
            **SMALL,
        ),
        dict(in_channels=4),
    ),
    'TCN': (
        9,
        dict(
            type='FlattenedPoseBackbone',
            num_frames=9,
            net=dict(**TCN, kernel_sizes=(3, 3), use_stride_conv=True),
        ),
        dict(in_channels=16, num_keypoints=17),
    ),
}


def bfloat16():
    return torch.autocast('cpu', torch.bfloat16)


@pytest.mark.parametrize('name', [*LIFTERS, *HOSTS])
def test_lifters_train(name):
    torch.manual_seed(0)
    if name in HOSTS:
        frames, model = NUM_FRAMES, build_lifter(name, 'ClusterPruner', TRA)
    else:
        frames, backbone, head = LIFTERS[name]
        head = dict(type='PoseLiftingHead', **head)
        config = dict(type='SequencePoseLifter', backbone=backbone, head=head)
        model = MODELS.build(config)
    model.train()
    inputs = torch.randn(4, frames, 17, 2)
    with bfloat16():
        poses = model(inputs)
        batch = samples(
            4,
            lifting_target_label=torch.randn_like(poses),
            lifting_target_weight=torch.ones(poses.shape[:3]),
        )
        loss = model(inputs, batch, mode='loss')['loss_pose3d']
    assert poses.dtype == loss.dtype == torch.float32
    loss.backward()
    assert all(each.grad.isfinite().all() for each in model.parameters())


def test_gtpt_trains():
    torch.manual_seed(0)
    size = (96, 128)
    config = dict(
        type='TopdownPoseEstimator',
        backbone=dict(type='GTPTStem', stem_channels=8, stage_channels=(16, 32)),
        head=dict(
            type='GTPTHead',
            in_channels=16,
            out_channels=17,
            input_size=size,
            in_featuremap_size=(24, 32),
            embed_dims=16,
            num_heads=2,
            keep_rates=(1.0, 0.5),
        ),
    )
    model = MODELS.build(config).train()
    batch = labeled_samples(*random_people(2, size), input_size=size)
    with bfloat16():
        losses = model(torch.randn(2, 3, 128, 96), batch, mode='loss')
    losses = [value for name, value in losses.items() if 'loss' in name]
    assert all(loss.dtype == torch.float32 for loss in losses)
    sum(losses).backward()
    assert all(each.grad.isfinite().all() for each in model.parameters())


@pytest.mark.parametrize('pruner', [ClusterPruner, MotionPruner])
def test_pruners_choose_the_same_frames(pruner):
    features = torch.randn(3, 70, 34, generator=torch.manual_seed(0)).cumsum(1)
    poses = features.unflatten(-1, (-1, 2))
    frames = Frames(features, poses, None, torch.full((3,), 35))
    chosen = pruner(num_keep=20, depth=1)(frames)[0]
    with bfloat16():
        assert torch.equal(pruner(num_keep=20, depth=1)(frames)[0], chosen)


def test_training_tool_takes_bfloat16_without_a_gpu(monkeypatch):
    monkeypatch.setattr('tools.train.get_device', lambda: 'cpu')
    settings = dict(optimizer=dict(type='SGD', lr=0.1))
    use_mixed_precision(settings)
    assert settings['type'] == 'mmpose.BFloat16OptimWrapper'
    model = torch.nn.Linear(8, 8)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    wrapper = OPTIM_WRAPPERS.get(settings['type'])(optimizer)
    with wrapper.optim_context(model):
        output = model(torch.randn(2, 8))
    assert output.dtype == torch.bfloat16
    wrapper.update_params(output.float().square().mean())
    with pytest.raises(
        ValueError, match='got the optimizer wrapper Other, wanted OptimWrapper'
    ):
        use_mixed_precision(dict(type='Other'))
