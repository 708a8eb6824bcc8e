"""Published checkpoints of MixSTE, MotionBERT and MotionAGFormer, plain and with HoT.

MixSTE and MotionBERT pruned without recovery have the keys of plain ones; the setting
``token_num`` distinguishes them.
"""

from tools.model_converters.published_model import (
    RECOVERY,
    Converted,
    PublishedModel,
    Rules,
    Settings,
    Tensors,
    count_blocks,
    evaluated_frames,
    lifter_config,
    merge_pruning,
    merge_settings,
    recovery_sizes,
    rename_keys,
)

_MIXSTE: Rules = (
    (r'^Spatial_pos_embed$', 'backbone.spatial_position.table'),
    (r'^Temporal_pos_embed$', 'backbone.temporal_position.table'),
    (r'^Spatial_patch_to_embedding\.', 'backbone.embed.'),
    (r'^Spatial_norm\.', 'backbone.spatial_norm.'),
    (r'^Temporal_norm\.', 'backbone.temporal_norm.'),
    (r'^STEblocks\.', 'backbone.spatial_blocks.'),
    (r'^TTEblocks\.', 'backbone.temporal_blocks.'),
    (r'^head\.0\.', 'backbone.norm.'),
    (r'^head\.1\.', 'head.fc.'),
    *RECOVERY,
)
_MOTIONBERT: Rules = (
    (r'^temp_embed$', 'backbone.temp_embed'),
    (r'^pos_embed$', 'backbone.spat_embed'),
    (r'^(joints_embed|norm|blocks_st|blocks_ts)\.', r'backbone.\1.'),
    (r'^ts_attn\.', 'backbone.attn_regress.'),
    (r'\.(mlp_[st])\.fc1\.', r'.\1.0.'),
    (r'\.(mlp_[st])\.fc2\.', r'.\1.2.'),
    (r'^head\.', 'head.fc.'),
    (r'^pre_logits\.', 'head.pre_logits.'),
    *RECOVERY,
)
_MOTIONAGFORMER: Rules = (
    (r'^pos_embed$', 'backbone.position.table'),
    (r'^joints_embed\.', 'backbone.embed.'),
    (r'^(norm|layers)\.', r'backbone.\1.'),
    (r'\.att_spatial\.', '.attention.0.'),
    (r'\.att_temporal\.', '.attention.1.'),
    (r'\.graph_spatial\.', '.graph.0.'),
    (r'\.graph_temporal\.', '.graph.1.'),
    (r'\.layer_scale_(\d)$', r'.scale\1'),
    (r'\.mixer\.U\.', '.mixer.own.'),
    (r'\.mixer\.V\.', '.mixer.neighbor.'),
    (r'\.mixer\.batch_norm\.', '.mixer.norm.'),
    (r'^head\.', 'head.fc.'),
    (r'^rep_logit\.', 'head.pre_logits.'),
    *RECOVERY,
)


def convert_mixste(tensors: Tensors, settings: Settings) -> Converted:
    """Return the config and our state dict of a published MixSTE."""
    state = rename_keys(tensors, _MIXSTE)
    recovery = recovery_sizes(state)
    depth = count_blocks(tensors, 'STEblocks')
    joints, channel = state['backbone.spatial_position.table'].shape[-2:]
    from_shapes = {
        'frames': state['backbone.temporal_position.table'].shape[-2],
        'channel': channel,
        'depth': depth,
        'd_hid': len(state['backbone.spatial_blocks.0.mlp.fc1.bias']),
        'n_joints': joints,
        'out_joints': joints,
        'in_channels': state['backbone.embed.weight'].shape[1],
        **recovery,
    }
    if recovery or 'token_num' in settings:
        # The released code of pruned models ignores this option.
        settings = {key: settings[key] for key in settings if key != 'd_hid'}
    layer = 3 if recovery else depth - 1
    sizes, pruning = merge_pruning(
        settings, from_shapes, {'num_heads': 8}, 'MixSTE', layer
    )
    backbone = {
        'type': 'MixSTE',
        'num_frames': sizes['frames'],
        'in_channels': sizes['in_channels'],
        'embed_dims': channel,
        'depth': depth,
        'num_heads': sizes['num_heads'],
        'mlp_dims': sizes['d_hid'],
        'num_keypoints': joints,
        **pruning,
    }
    return lifter_config(backbone, channel, evaluated_frames(pruning)), state


def convert_motionbert(tensors: Tensors, settings: Settings) -> Converted:
    """Return the config and our state dict of a published MotionBERT."""
    state = rename_keys(tensors, _MOTIONBERT)
    depth = count_blocks(tensors, 'blocks_st')
    joints, channels = state['backbone.spat_embed'].shape[-2:]
    from_shapes = {
        'frames': state['backbone.temp_embed'].shape[1],
        'dim_feat': channels,
        'dim_rep': len(state['head.pre_logits.fc.bias']),
        'mlp_ratio': len(state['backbone.blocks_st.0.mlp_s.0.bias']) / channels,
        'depth': depth,
        'n_joints': joints,
        'in_channels': state['backbone.joints_embed.weight'].shape[1],
        **recovery_sizes(state),
    }
    sizes, pruning = merge_pruning(
        settings, from_shapes, {'num_heads': 8}, 'MotionBERT', layer=1
    )
    backbone = {
        'type': 'MotionBERT',
        'in_channels': sizes['in_channels'],
        'embed_dims': channels,
        'depth': depth,
        'num_heads': sizes['num_heads'],
        'mlp_ratio': sizes['mlp_ratio'],
        'num_keypoints': joints,
        'num_frames': sizes['frames'],
        **pruning,
    }
    head = {
        'type': 'RepresentationHead',
        'rep_dims': sizes['dim_rep'],
        'decoder': {
            'type': 'ImageSpacePoseLifting',
            'with_scores': sizes['in_channels'] == 3,
        },
    }
    return lifter_config(backbone, channels, evaluated_frames(pruning), **head), state


def convert_motionagformer(tensors: Tensors, settings: Settings) -> Converted:
    """Return the config and our state dict of a published MotionAGFormer."""
    state = rename_keys(tensors, _MOTIONAGFORMER)
    sizes, pruning = _motionagformer_sizes(state, settings)
    channels = sizes['dim_feat']
    backbone = {
        'type': 'MotionAGFormer',
        'num_frames': sizes['frames'],
        'in_channels': sizes['in_channels'],
        'embed_dims': channels,
        'depth': sizes['n_layers'],
        'num_heads': sizes['num_heads'],
        'num_neighbors': sizes['neighbour_num'],
        'mlp_ratio': sizes['mlp_ratio'],
        **pruning,
    }
    head = {
        'type': 'RepresentationHead',
        'rep_dims': sizes['dim_rep'],
        'decoder': {'type': 'ImageSpacePoseLifting'},
    }
    return lifter_config(backbone, channels, 'all', **head), state


def _motionagformer_sizes(
    state: Tensors, settings: Settings
) -> tuple[Settings, dict[str, dict]]:
    """Return the settings of a MotionAGFormer and its pruning, from tensors (...)."""
    depth = count_blocks(state, 'backbone.layers')
    layers = [f'backbone.layers.{layer}' for layer in range(depth)]
    lengths = [len(state[f'{layer}.graph.1.mixer.norm.weight']) for layer in layers]
    joints, channels = state['backbone.position.table'].shape[-2:]
    hidden = len(state[f'{layers[0]}.attention.0.mlp.fc1.bias'])
    recovery = recovery_sizes(state)
    from_shapes = {
        'n_layers': depth,
        'dim_feat': channels,
        'dim_rep': len(state['head.pre_logits.fc.bias']),
        'mlp_ratio': hidden // channels,
        'frames': lengths[0],
        'n_joints': joints,
        'in_channels': state['backbone.embed.weight'].shape[1],
        **recovery,
    }
    name = 'MotionAGFormer'
    # Shapes do not determine these defaults, and HoT's copy of the host has others.
    if not recovery:
        defaults = {'num_heads': 8, 'neighbour_num': 2}
        return merge_settings(settings, from_shapes, defaults, name), {}
    if from_shapes['frames'] != lengths[-1]:
        from_shapes['layer_index'] = lengths.index(lengths[-1])
    defaults = {'num_heads': 4, 'neighbour_num': 4}
    return merge_pruning(settings, from_shapes, defaults, name, layer=7)


MIXSTE = PublishedModel(
    'MixSTE', marks=('STEblocks.', 'TTEblocks.'), convert=convert_mixste
)
MOTIONBERT = PublishedModel(
    'MotionBERT',
    marks=('blocks_st.', 'blocks_ts.', 'ts_attn.'),
    convert=convert_motionbert,
)
MOTIONAGFORMER = PublishedModel(
    'MotionAGFormer',
    marks=('layers.0.att_spatial.', 'layers.0.graph_temporal.'),
    convert=convert_motionagformer,
)
