"""Tiny lifters and their checkpoints for the tests of lifting."""

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope
from mmpose.registry import DATASETS, MODELS

import mmhot.plugin  # noqa: F401 registers

NUM_FRAMES = 9
_SMALL = {
    'MixSTE': dict(embed_dims=16, depth=4, num_heads=2),
    'MotionBERT': dict(embed_dims=16, depth=2, num_heads=2),
    'MHFormer': dict(embed_dims=16, mlp_dims=24, num_heads=2),
    'MotionAGFormer': dict(embed_dims=16, depth=2, num_heads=2, num_neighbors=2),
    'NanoHTNet': dict(embed_dims=48, mlp_dims=16, graph_dims=16, depth=1),
}
_IN_CHANNELS = {'MHFormer': 48}


def shrink_config(config, folder):
    """Change a published training to a small model, and windows of nine frames."""
    backbone = config.model.backbone
    backbone.update(_SMALL[backbone.type], num_frames=NUM_FRAMES)
    if backbone.type != 'NanoHTNet':
        config.model.head.in_channels = _IN_CHANNELS.get(backbone.type, 16)
    if 'pruner' in backbone:
        backbone.pruner.update(num_keep=3, depth=1)
    for split in ('train', 'val'):
        dataset = config[f'{split}_dataloader'].dataset
        dataset.update(data_root=str(folder), seq_len=NUM_FRAMES)
        if dataset.num_targets > 1:
            dataset.update(num_targets=NUM_FRAMES, stride=NUM_FRAMES)


def batch_of(config, split, model):
    """A dataset of a config, and all of its samples as a batch."""
    dataset = DATASETS.build(config[f'{split}_dataloader'].dataset)
    samples = pseudo_collate([dataset[index] for index in range(len(dataset))])
    return dataset, model.data_preprocessor(samples, training=split == 'train')


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


def save_lifter(path, config=None, **settings):
    """Write a checkpoint with its config, as training does."""
    config = config or lifter_config(**settings)
    meta = dict(cfg=config.pretty_text)
    torch.save(dict(meta=meta, state_dict=random_state(config)), path)
    return path
