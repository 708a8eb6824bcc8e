"""Published checkpoints of GTPT."""

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor

from mmhot.models.layers.blocks import sine_positions
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.crops import IMAGE_MEAN, IMAGE_STD
from mmhot.weights.convert import (
    NORM,
    PublishedModel,
    Tensors,
    count_blocks,
    merge_settings,
    rename_keys,
    with_leaves,
)

_NAME = 'GTPT'
_STEM, _FORMER = 'features.stem', 'features.transformer'

# Convolutions of a block; each is followed by its batch normalization.
_LEFT = {'branch1.0': 'left.0', 'branch1.2': 'left.1'}
_RIGHT = {'branch2.0': 'right.0', 'branch2.3': 'right.1', 'branch2.5': 'right.2'}
_LAYER = {
    '0.fn.norm': 'norm1',
    '0.fn.fn.to_out.0': 'attn.proj',
    '1.fn.norm': 'norm2',
    '1.fn.fn.net.0': 'mlp.fc1',
    '1.fn.fn.net.3': 'mlp.fc2',
}
_OUTER = {
    'features.patch2emb_mlp': 'head.patch_embed.proj',
    f'{_FORMER}.group_mask.0': 'head.coarse_to_fine.gate.0',
    f'{_FORMER}.group_mask.2': 'head.coarse_to_fine.gate.2',
    'mlp_head_x.0': 'head.classify_x.0',
    'mlp_head_x.1': 'head.classify_x.1',
    'mlp_head_y.0': 'head.classify_y.0',
    'mlp_head_y.1': 'head.classify_y.1',
}
_DENSE_TOKENS = 'features.fine_keypoint_token'
_QUERIES = 'head.coarse_encoder.query_tokens'
_DENSE = 'head.coarse_to_fine.dense_tokens'

_PREPROCESSOR = {
    'type': 'mmpose.TopdownDataPreprocessor',  # MMEngine builds it, in its own scope
    'mean': list(IMAGE_MEAN),
    'std': list(IMAGE_STD),
    'bgr_to_rgb': True,
}

# Settings that shapes do not determine, with their published values.
_DEFAULTS = {'heads': 8, 'patch_size_wh': [3, 4], 'simcc_split_ratio': 2.0}
_DATASETS = {
    'coco': {
        'skeleton': 'coco-17',
        'groups': [['head'], ['upper_body'], ['lower_body']],
        'keep_rates': [1.0, 0.7, 0.3, 0.1],
    },
    'wholebody': {
        'skeleton': 'coco-wholebody-133',
        'groups': [
            ['head', 'face'],
            ['upper_body', 'left_hand', 'right_hand'],
            ['lower_body', 'left_foot', 'right_foot'],
        ],
        'keep_rates': [1.0, 0.7, 0.5, 0.3],
    },
}
_SIZES = {('single', 128, 128): 't', ('single', 256, 192): 's', ('unet', 256, 192): 'b'}


def convert(tensors: Tensors, settings: dict[str, Any]) -> tuple[dict, Tensors]:
    """Return the config and our state dict of a published GTPT."""
    tensors = dict(tensors)
    masks = [key for key in tensors if key.endswith('.fn.fn.mask')]
    for key in masks:
        del tensors[key]
    table = tensors.pop('features.pos_embedding', None)
    dataset = 'wholebody' if _DENSE_TOKENS in tensors else 'coco'
    state = rename_keys(tensors, _key_names(tensors), _NAME)
    parts = state.pop('parts', None)
    state = {
        key: value.flatten(0, 1) if key.endswith('_token') or 'tokens' in key else value
        for key, value in state.items()
    }
    if parts is not None:
        state[_QUERIES] = torch.cat([parts.flatten(0, 1), state[_QUERIES]])
    sizes = _merge_settings(state, settings, dataset)
    config = _config(state, sizes)
    _check_positions(table, config['head'])
    return config, state


def _key_names(keys: Collection[str]) -> dict[str, str]:
    """Map published keys to ours, for as many blocks as there are."""
    names = with_leaves(_OUTER) | _stem_names(keys)
    names['features.human_token'] = 'head.coarse_encoder.human_token'
    names['features.keypoint_token'] = _QUERIES
    if _DENSE_TOKENS in keys:
        names |= {'features.extra_token': 'parts', _DENSE_TOKENS: _DENSE}
    names |= with_leaves({'features.patch2emb_norm': 'head.patch_embed.norm'}, *NORM)
    stacks = {'layers': 'coarse_encoder', 'group_layers': 'fine_encoder'}
    for published, ours in stacks.items():
        for index in range(count_blocks(keys, f'{_FORMER}.{published}')):
            old, new = f'{_FORMER}.{published}.{index}', f'head.{ours}.blocks.{index}'
            layer = {f'{old}.{key}': f'{new}.{name}' for key, name in _LAYER.items()}
            names |= with_leaves(layer)
            names[f'{old}.0.fn.fn.to_qkv.weight'] = f'{new}.attn.qkv.weight'
    return names


def _stem_names(keys: Collection[str]) -> dict[str, str]:
    """Map published keys of the stem to ours."""
    convs = {f'{_STEM}.conv1.0': 'backbone.conv'}
    for stage, published in enumerate(_stage_keys(keys)):
        for block in range(count_blocks(keys, published)):
            convs |= _block_names(
                f'{published}.{block}',
                f'backbone.stages.{stage}.{block}',
                _RIGHT if block else _LEFT | _RIGHT,
            )
    names = {}
    for merge in range(len(_stage_keys(keys)) - 1):
        published, ours = f'{_STEM}.up_layer{merge + 1}', f'backbone.merges.{merge}'
        convs[f'{published}.0.0'] = f'{ours}.reduce'
        for block in range(1, count_blocks(keys, published)):
            convs |= _block_names(
                f'{published}.{block}', f'{ours}.blocks.{block - 1}', _RIGHT
            )
        published = f'{_STEM}.upsample{merge + 1}'
        names |= with_leaves({f'{published}.0': f'{ours}.upsample.conv'})
        names |= with_leaves({f'{published}.2': f'{ours}.upsample.norm'}, *NORM)
    for published, ours in convs.items():
        parent, _, index = published.rpartition('.')
        names |= with_leaves({published: f'{ours}.conv'})
        names |= with_leaves({f'{parent}.{int(index) + 1}': f'{ours}.norm'}, *NORM)
    return names


def _stage_keys(keys: Collection[str]) -> list[str]:
    """Return the published names of the stem's stages."""
    count = count_blocks(
        [key.replace('down_layer', 'down_layer.') for key in keys],
        f'{_STEM}.down_layer',
    )
    return [f'{_STEM}.down_layer{stage}' for stage in range(1, count)] or [
        f'{_STEM}.layer'
    ]


def _block_names(published: str, ours: str, convs: dict[str, str]) -> dict[str, str]:
    return {f'{published}.{key}': f'{ours}.{name}' for key, name in convs.items()}


def _merge_settings(
    state: Tensors, settings: dict[str, Any], dataset: str
) -> dict[str, Any]:
    """Merge sizes from the shapes with the user's settings."""
    defaults = _DEFAULTS | _DATASETS[dataset]
    settings = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in settings.items()
    }
    unpruned = 'keep_rates' in settings and settings['keep_rates'] is None
    if unpruned:
        del settings['keep_rates']
    ratio = settings.get('simcc_split_ratio', defaults['simcc_split_ratio'])
    groups = settings.get('groups', defaults['groups'])
    sizes = merge_settings(
        settings, _sizes(state, dataset, ratio, groups), defaults, _NAME
    )
    return sizes | {'keep_rates': None} if unpruned else sizes


def _sizes(
    state: Tensors, dataset: str, ratio: float, groups: list[list[str]]
) -> dict[str, Any]:
    """Read the published settings off the shapes."""
    channels = len(state['head.patch_embed.norm.weight'])
    hidden, dim = state['head.coarse_encoder.blocks.0.mlp.fc1.weight'].shape
    stem = 'unet' if count_blocks(state, 'backbone.merges') else 'single'
    skeleton = get_skeleton(_DATASETS[dataset]['skeleton'])
    stacks = ('head.coarse_encoder.blocks', 'head.fine_encoder.blocks')
    return {
        'size': _SIZES.get((stem, channels, dim), 'other'),
        'dataset': dataset,
        'num_keypoints': skeleton.num_keypoints,
        'stem': stem,
        'stem_channels': channels,
        'dim': dim,
        'depth': sum(count_blocks(state, stack) for stack in stacks),
        'mlp_ratio': hidden / dim,
        'input_size': [
            len(state[f'head.classify_{axis}.1.bias']) / ratio for axis in 'xy'
        ],
        'num_groups': len(state['head.coarse_to_fine.gate.2.bias']) // dim,
        'dense_per_group': [
            sum(len(skeleton.indices(name)) for name in names[1:]) for names in groups
        ],
    }


def _config(state: Tensors, sizes: dict[str, Any]) -> dict:
    """Return the config of the model."""
    input_size = tuple(round(length) for length in sizes['input_size'])
    stage_channels = [
        2 * len(state[f'backbone.stages.{stage}.0.right.2.conv.bias'])
        for stage in range(count_blocks(state, 'backbone.stages'))
    ]
    backbone = {
        'type': 'GTPTStem',
        'stem_channels': len(state['backbone.conv.conv.bias']),
        'stage_channels': tuple(stage_channels),
        'stage_depth': count_blocks(state, 'backbone.stages.0'),
        'merge_depth': count_blocks(state, 'backbone.merges.0.blocks'),
    }
    ratio = sizes['simcc_split_ratio']
    head = {
        'type': 'GTPTHead',
        'in_channels': sizes['stem_channels'],
        'out_channels': sizes['num_keypoints'],
        'input_size': input_size,
        'in_featuremap_size': tuple(length // 4 for length in input_size),
        'simcc_split_ratio': ratio,
        'patch_size': tuple(sizes['patch_size_wh']),
        'embed_dims': sizes['dim'],
        'num_heads': sizes['heads'],
        'coarse_depth': count_blocks(state, 'head.coarse_encoder.blocks'),
        'fine_depth': count_blocks(state, 'head.fine_encoder.blocks'),
        'mlp_ratio': sizes['mlp_ratio'],
        'keep_rates': sizes['keep_rates'],
        'skeleton': sizes['skeleton'],
        'groups': sizes['groups'],
        'decoder': {
            'type': 'GTPTLabel',
            'input_size': input_size,
            'simcc_split_ratio': ratio,
        },
    }
    return {
        'type': 'TopdownPoseEstimator',
        'data_preprocessor': dict(_PREPROCESSOR),
        'backbone': backbone,
        'head': head,
        'test_cfg': {'flip_test': True},
    }


def _check_positions(table: Tensor | None, head: dict[str, Any]) -> None:
    """Raise if the table of positions is not the one that our model computes."""
    if table is None:
        return
    columns, rows = (
        length // step
        for length, step in zip(
            head['in_featuremap_size'], head['patch_size'], strict=True
        )
    )
    expected = sine_positions(rows, columns, head['embed_dims'])
    if table.shape[1:] != expected.shape or not torch.allclose(
        table[0].float(), expected, atol=1e-3
    ):
        raise ValueError(
            f'features.pos_embedding is not the published table for {columns} x {rows} '
            f'patches, which patch_size_wh={list(head["patch_size"])} makes'
        )


GTPT = PublishedModel(
    _NAME, marks=(f'{_FORMER}.layers.', f'{_FORMER}.group_layers.'), convert=convert
)
