"""Tiny lifters and their checkpoints for the tests of lifting."""

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpose.registry import MODELS

import mmhot.plugin  # noqa: F401 registers


def lifter_config(
    num_frames=9, num_keep_frames=3, codec='PersonCenteredPoseLifting', **lifting
):
    """A config with a model of 4000 parameters; ``lifting`` are its settings."""
    backbone = dict(
        type='NanoHTNet',
        num_frames=num_frames,
        num_keep_frames=num_keep_frames,
        embed_dims=12,
        depth=1,
        num_heads=2,
        mlp_dims=8,
        graph_dims=8,
    )
    head = dict(type='PoseLiftingHead', in_channels=16, decoder=dict(type=codec))
    model = dict(type='SequencePoseLifter', backbone=backbone, head=head)
    model['test_cfg'] = dict(flip_test=True, target='all')
    return Config(dict(model=model, lifting=lifting))


def random_state(config, seed=0):
    """Weights, the same for the same seed."""
    with torch.random.fork_rng(), DefaultScope.overwrite_default_scope('mmpose'):
        torch.manual_seed(seed)
        return MODELS.build(config.model).state_dict()


def save_lifter(path, **settings):
    """Write a checkpoint with its config, as training does."""
    config = lifter_config(**settings)
    meta = dict(cfg=config.pretty_text)
    torch.save(dict(meta=meta, state_dict=random_state(config)), path)
    return path
