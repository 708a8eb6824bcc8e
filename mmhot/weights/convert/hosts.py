"""Published checkpoints of MixSTE, MotionBERT and MotionAGFormer, plain and with HoT.

MixSTE and MotionBERT pruned without recovery have the keys of plain ones; the setting
``token_num`` distinguishes them.
"""

from typing import Any

from mmhot.weights.convert import (
    BLOCK,
    NORM,
    PublishedModel,
    Tensors,
    count_blocks,
    evaluated_frames,
    is_recovered,
    lifter_config,
    merge_settings,
    pruning_config,
    pruning_defaults,
    read_host,
    recovery_sizes,
    with_leaves,
)

_MIXSTE_STACKS = {'STEblocks': 'spatial_blocks', 'TTEblocks': 'temporal_blocks'}
_MIXSTE_OUTER = {
    'Spatial_patch_to_embedding': 'backbone.embed',
    'Spatial_norm': 'backbone.spatial_norm',
    'Temporal_norm': 'backbone.temporal_norm',
    'head.0': 'backbone.norm',
    'head.1': 'head.fc',
}
_MIXSTE_POSITIONS = {
    'Spatial_pos_embed': 'backbone.spatial_position.table',
    'Temporal_pos_embed': 'backbone.temporal_position.table',
}


def convert_mixste(tensors: Tensors, settings: dict[str, Any]) -> tuple[dict, Tensors]:
    """Return the config and our state dict of a published MixSTE."""
    depth, recovered = count_blocks(tensors, *_MIXSTE_STACKS), is_recovered(tensors)
    names = {
        **_MIXSTE_POSITIONS,
        **with_leaves({**_MIXSTE_OUTER, **_mixste_block_names(depth)}),
    }
    state = read_host(tensors, names, 'MixSTE')
    found = _mixste_sizes(state, depth)
    if recovered or 'token_num' in settings:
        # the released code of pruned models ignores this option
        settings = {key: settings[key] for key in settings if key != 'd_hid'}
    layer = 3 if recovered else depth - 1
    defaults = pruning_defaults(layer, found['frames'], recovered)
    sizes = merge_settings(settings, found, {'num_heads': 8, **defaults}, 'MixSTE')
    pruning = pruning_config(sizes, recovered)
    backbone = {
        'type': 'MixSTE',
        'num_frames': sizes['frames'],
        'in_channels': sizes['in_channels'],
        'embed_dims': sizes['channel'],
        'depth': depth,
        'num_heads': sizes['num_heads'],
        'mlp_dims': sizes['d_hid'],
        'num_keypoints': sizes['n_joints'],
        **pruning,
    }
    config = lifter_config(backbone, sizes['channel'], evaluated_frames(pruning))
    return config, state


def _mixste_block_names(depth: int) -> dict[str, str]:
    """Map modules of the blocks to ours."""
    return {
        f'{published}.{index}.{key}': f'backbone.{ours}.{index}.{key}'
        for published, ours in _MIXSTE_STACKS.items()
        for index in range(depth)
        for key in BLOCK
    }


def _mixste_sizes(state: Tensors, depth: int) -> dict[str, int]:
    """Read the published settings off the shapes."""
    table = state['backbone.spatial_position.table']
    joints, channel = table.shape[-2], table.shape[-1]
    return {
        'frames': len(state['backbone.temporal_position.table']),
        'channel': channel,
        'depth': depth,
        'd_hid': len(state['backbone.spatial_blocks.0.mlp.fc1.bias']),
        'n_joints': joints,
        'out_joints': joints,
        'in_channels': state['backbone.embed.weight'].shape[1],
        **recovery_sizes(state),
    }


MIXSTE = PublishedModel(
    'MixSTE', marks=('STEblocks.', 'TTEblocks.'), convert=convert_mixste
)

_MOTIONBERT_STACKS = ('blocks_st', 'blocks_ts')
_MOTIONBERT_OUTER = {
    'joints_embed': 'backbone.joints_embed',
    'norm': 'backbone.norm',
    'pre_logits.fc': 'head.pre_logits.fc',
    'head': 'head.fc',
}
_MOTIONBERT_POSITIONS = {
    'temp_embed': 'backbone.temp_embed',
    'pos_embed': 'backbone.spat_embed',
}


def convert_motionbert(
    tensors: Tensors, settings: dict[str, Any]
) -> tuple[dict, Tensors]:
    """Return the config and our state dict of a published MotionBERT."""
    depth, recovered = count_blocks(tensors, *_MOTIONBERT_STACKS), is_recovered(tensors)
    names = {
        **_MOTIONBERT_POSITIONS,
        **with_leaves({**_MOTIONBERT_OUTER, **_motionbert_block_names(depth)}),
    }
    state = read_host(tensors, names, 'MotionBERT')
    found = _motionbert_sizes(state, depth)
    defaults = pruning_defaults(1, found['frames'], recovered)
    sizes = merge_settings(settings, found, {'num_heads': 8, **defaults}, 'MotionBERT')
    pruning = pruning_config(sizes, recovered)
    backbone = {
        'type': 'MotionBERT',
        'in_channels': sizes['in_channels'],
        'embed_dims': sizes['dim_feat'],
        'depth': depth,
        'num_heads': sizes['num_heads'],
        'mlp_ratio': sizes['mlp_ratio'],
        'num_keypoints': sizes['n_joints'],
        'num_frames': sizes['frames'],
        **pruning,
    }
    config = lifter_config(backbone, sizes['dim_feat'], evaluated_frames(pruning))
    decoder = {
        'type': 'ImageSpacePoseLifting',
        'with_scores': sizes['in_channels'] == 3,
    }
    config['head'] |= {
        'type': 'RepresentationHead',
        'rep_dims': sizes['dim_rep'],
        'decoder': decoder,
    }
    return config, state


def _motionbert_block_names(depth: int) -> dict[str, str]:
    """Map modules of the layers to ours."""
    names = {}
    for index in range(depth):
        names[f'ts_attn.{index}'] = f'backbone.attn_regress.{index}'
        for stack in _MOTIONBERT_STACKS:
            published, ours = f'{stack}.{index}', f'backbone.{stack}.{index}'
            for half in ('s', 't'):
                for key in ('norm1_{}', 'attn_{}.qkv', 'attn_{}.proj', 'norm2_{}'):
                    key = key.format(half)
                    names[f'{published}.{key}'] = f'{ours}.{key}'
                names[f'{published}.mlp_{half}.fc1'] = f'{ours}.mlp_{half}.0'
                names[f'{published}.mlp_{half}.fc2'] = f'{ours}.mlp_{half}.2'
    return names


def _motionbert_sizes(state: Tensors, depth: int) -> dict[str, Any]:
    """Read the published settings off the shapes."""
    table = state['backbone.spat_embed']
    joints, channels = table.shape[-2], table.shape[-1]
    hidden = len(state['backbone.blocks_st.0.mlp_s.0.bias'])
    return {
        'frames': state['backbone.temp_embed'].shape[1],
        'dim_feat': channels,
        'dim_rep': len(state['head.pre_logits.fc.bias']),
        'mlp_ratio': hidden / channels,
        'depth': depth,
        'n_joints': joints,
        'in_channels': state['backbone.joints_embed.weight'].shape[1],
        **recovery_sizes(state),
    }


MOTIONBERT = PublishedModel(
    'MotionBERT',
    marks=('blocks_st.', 'blocks_ts.', 'ts_attn.'),
    convert=convert_motionbert,
)

_MOTIONAGFORMER_STREAMS = {
    'att_spatial': 'attention.0',
    'att_temporal': 'attention.1',
    'graph_spatial': 'graph.0',
    'graph_temporal': 'graph.1',
}
_MOTIONAGFORMER_BLOCK = ('norm1', 'norm2', 'mlp.fc1', 'mlp.fc2')
# Settings that shapes do not determine. HoT's copy of the host has others.
_MOTIONAGFORMER_DEFAULTS = {
    False: {'num_heads': 8, 'neighbour_num': 2},
    True: {'num_heads': 4, 'neighbour_num': 4, 'layer_index': 7, 'k': 2},
}
_MOTIONAGFORMER_OUTER = {
    'joints_embed': 'backbone.embed',
    'norm': 'backbone.norm',
    'rep_logit.fc': 'head.pre_logits.fc',
    'head': 'head.fc',
}


def convert_motionagformer(
    tensors: Tensors, settings: dict[str, Any]
) -> tuple[dict, Tensors]:
    """Return the config and our state dict of a published MotionAGFormer."""
    depth, recovered = count_blocks(tensors, 'layers'), is_recovered(tensors)
    names = {
        'pos_embed': 'backbone.position.table',
        **with_leaves(_MOTIONAGFORMER_OUTER),
    }
    for layer in range(depth):
        names |= _motionagformer_layer_names(
            f'layers.{layer}', f'backbone.layers.{layer}'
        )
    state = read_host(tensors, names, 'MotionAGFormer', qkv_bias=False)
    found = _motionagformer_sizes(state, depth)
    # shapes determine the layer too, unless all frames are kept
    defaults = {
        name: value
        for name, value in _MOTIONAGFORMER_DEFAULTS[recovered].items()
        if name not in found
    }
    sizes = merge_settings(settings, found, defaults, 'MotionAGFormer')
    backbone = {
        'type': 'MotionAGFormer',
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


def _motionagformer_layer_names(published: str, ours: str) -> dict[str, str]:
    """Map keys of one layer to ours."""
    names = with_leaves({f'{published}.fusion': f'{ours}.fusion'})
    for stream, block in _MOTIONAGFORMER_STREAMS.items():
        source, target = f'{published}.{stream}', f'{ours}.{block}'
        modules = {
            f'{source}.{key}': f'{target}.{key}' for key in _MOTIONAGFORMER_BLOCK
        }
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


def _motionagformer_sizes(state: Tensors, depth: int) -> dict[str, int]:
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
    'MotionAGFormer',
    marks=('layers.0.att_spatial.', 'layers.0.graph_temporal.'),
    convert=convert_motionagformer,
)
