"""Published checkpoints of MotionAGFormer, plain and as host of HoT."""

from typing import Any

from mmhot.weights.convert.published_model import (
    NORM,
    PublishedModel,
    Tensors,
    count_blocks,
    flatten_tables,
    is_recovered,
    lifter_config,
    merge_settings,
    pruning_config,
    recovery_names,
    recovery_sizes,
    rename_keys,
    with_leaves,
)

_NAME = 'MotionAGFormer'
_STREAMS = {
    'att_spatial': 'attention.0',
    'att_temporal': 'attention.1',
    'graph_spatial': 'graph.0',
    'graph_temporal': 'graph.1',
}
_BLOCK = ('norm1', 'norm2', 'mlp.fc1', 'mlp.fc2')
# Settings that shapes do not determine. HoT's copy of the host has others.
_DEFAULTS = {
    False: {'num_heads': 8, 'neighbour_num': 2},
    True: {'num_heads': 4, 'neighbour_num': 4, 'layer_index': 7, 'k': 2},
}
_OUTER = {
    'joints_embed': 'backbone.embed',
    'norm': 'backbone.norm',
    'rep_logit.fc': 'head.pre_logits.fc',
    'head': 'head.fc',
}


def convert(tensors: Tensors, settings: dict[str, Any]) -> tuple[dict, Tensors]:
    """Return the config and our state dict of a published MotionAGFormer."""
    depth, recovered = count_blocks(tensors, 'layers'), is_recovered(tensors)
    names = {'pos_embed': 'backbone.position.table', **with_leaves(_OUTER)}
    for layer in range(depth):
        names |= _layer_names(f'layers.{layer}', f'backbone.layers.{layer}')
    names |= recovery_names(tensors, qkv_bias=False)
    state = rename_keys(tensors, names, _NAME)
    state = flatten_tables(state)
    found = _sizes(state, depth)
    # shapes determine the layer too, unless all frames are kept
    defaults = {
        name: value for name, value in _DEFAULTS[recovered].items() if name not in found
    }
    sizes = merge_settings(settings, found, defaults, _NAME)
    backbone = {
        'type': _NAME,
        'num_frames': sizes['frames'],
        'in_channels': sizes['in_channels'],
        'embed_dims': sizes['dim_feat'],
        'depth': depth,
        'num_heads': sizes['num_heads'],
        'num_neighbors': sizes['neighbour_num'],
        'mlp_ratio': sizes['mlp_ratio'],
    }
    if recovered:
        backbone |= pruning_config(sizes, recovered)
    config = lifter_config(backbone, sizes['dim_feat'], 'all')
    config['head'] |= {
        'type': 'RepresentationHead',
        'rep_dims': sizes['dim_rep'],
        'decoder': {'type': 'ImageSpacePoseLifting'},
    }
    return config, state


def _layer_names(published: str, ours: str) -> dict[str, str]:
    """Map keys of one layer to ours."""
    names = with_leaves({f'{published}.fusion': f'{ours}.fusion'})
    for stream, block in _STREAMS.items():
        source, target = f'{published}.{stream}', f'{ours}.{block}'
        modules = {f'{source}.{key}': f'{target}.{key}' for key in _BLOCK}
        for index in (1, 2):
            names[f'{source}.layer_scale_{index}'] = f'{target}.scale{index}'
        source, target = f'{source}.mixer', f'{target}.mixer'
        if stream.startswith('att'):
            names[f'{source}.qkv.weight'] = f'{target}.qkv.weight'
            modules[f'{source}.proj'] = f'{target}.proj'
        else:
            modules[f'{source}.U'] = f'{target}.own'
            modules[f'{source}.V'] = f'{target}.neighbor'
            names |= with_leaves({f'{source}.batch_norm': f'{target}.norm'}, *NORM)
        names |= with_leaves(modules)
    return names


def _sizes(state: Tensors, depth: int) -> dict[str, int]:
    """Read the published settings off the shapes."""
    lengths = [
        len(state[f'backbone.layers.{layer}.graph.1.mixer.norm.weight'])
        for layer in range(depth)
    ]
    table = state['backbone.position.table']
    joints, channels = table.shape[-2], table.shape[-1]
    hidden = len(state['backbone.layers.0.attention.0.mlp.fc1.bias'])
    sizes = {
        'n_layers': depth,
        'dim_feat': channels,
        'dim_rep': len(state['head.pre_logits.fc.bias']),
        'mlp_ratio': hidden // channels,
        'frames': lengths[0],
        'n_joints': joints,
        'in_channels': state['backbone.embed.weight'].shape[1],
    }
    if recovery := recovery_sizes(state):
        sizes |= recovery
        if sizes['frames'] != lengths[-1]:
            sizes['layer_index'] = lengths.index(lengths[-1])
    return sizes


MOTIONAGFORMER = PublishedModel(
    _NAME,
    marks=('layers.0.att_spatial.', 'layers.0.graph_temporal.'),
    convert=convert,
)
