"""Small hosts of HoT, as lifters with any pruner and recoverer."""

import torch
from mmpose.registry import MODELS
from torch import nn

import mmhot.plugin  # noqa: F401 (registers what configs name)

NUM_FRAMES = 9
_SIZES = dict(num_frames=NUM_FRAMES, embed_dims=16, num_heads=2)
HOSTS = {
    'MixSTE': dict(depth=3, mlp_dims=32, **_SIZES),
    'MotionBERT': dict(in_channels=2, depth=3, **_SIZES),
    'MHFormer': dict(mlp_dims=32, drop_rate=0.0, **_SIZES),
    'MotionAGFormer': dict(in_channels=2, depth=3, **_SIZES),
}
HEADS = {
    'MixSTE': dict(type='PoseLiftingHead', in_channels=16),
    'MotionBERT': dict(type='RepresentationHead', in_channels=16, rep_dims=24),
    'MHFormer': dict(type='PoseLiftingHead', in_channels=48, num_keypoints=17),
    'MotionAGFormer': dict(type='RepresentationHead', in_channels=16, rep_dims=24),
}
PRUNER = dict(type='ClusterPruner', num_keep=4, depth=1)
PRUNERS = ['ClusterPruner', 'AttentionPruner', 'MotionPruner', 'UniformPruner']
TRA, TRI = dict(type='AttentionRecoverer'), dict(type='InterpolationRecoverer')


def build_lifter(host, pruner=None, recoverer=None, test_cfg=None, **options):
    torch.manual_seed(0)
    if isinstance(pruner, str):
        pruner = dict(type=pruner, num_keep=4, depth=2)
    config = dict(
        type='SequencePoseLifter',
        backbone=dict(
            type=host,
            **HOSTS[host] | options,
            pruner=pruner,
            recoverer=recoverer,
        ),
        head=dict(**HEADS[host], decoder=dict(type='CameraPoseLifting')),
        test_cfg=test_cfg or {},
    )
    model = MODELS.build(config).eval()
    for parameter in model.parameters():
        if parameter.abs().max() == 0:  # positions and tokens
            nn.init.normal_(parameter, std=0.3)
    return model


def windows(batch=2):
    return torch.randn(batch, NUM_FRAMES, 17, 2, generator=torch.manual_seed(1))
