"""Published checkpoints of MotionBERT, plain and as host of HoT."""

from typing import Any

from mmhot.weights.convert.published_model import (
    PublishedModel,
    Tensors,
    count_blocks,
    evaluated_frames,
    flatten_tables,
    is_recovered,
    lifter_config,
    merge_settings,
    pruning_config,
    pruning_defaults,
    recovery_names,
    recovery_sizes,
    rename_keys,
    with_leaves,
)

_NAME = 'MotionBERT'
_STACKS = ('blocks_st', 'blocks_ts')
_OUTER = {
    'joints_embed': 'backbone.joints_embed',
    'norm': 'backbone.norm',
    'pre_logits.fc': 'head.pre_logits.fc',
    'head': 'head.fc',
}
_POSITIONS = {
    'temp_embed': 'backbone.temp_embed',
    'pos_embed': 'backbone.spat_embed',
}


def convert(tensors: Tensors, settings: dict[str, Any]) -> tuple[dict, Tensors]:
    """Return the config and our state dict of a published MotionBERT."""
    depth, recovered = count_blocks(tensors, *_STACKS), is_recovered(tensors)
    names = {**_POSITIONS, **with_leaves({**_OUTER, **_block_names(depth)})}
    state = rename_keys(tensors, {**names, **recovery_names(tensors)}, _NAME)
    state = flatten_tables(state, 'backbone.hourglass')
    found = _sizes(state, depth)
    defaults = pruning_defaults(1, found['frames'], recovered)
    sizes = merge_settings(settings, found, {'num_heads': 8, **defaults}, _NAME)
    pruning = pruning_config(sizes, recovered)
    backbone = {
        'type': _NAME,
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


def _block_names(depth: int) -> dict[str, str]:
    """Map modules of the layers to ours."""
    names = {}
    for index in range(depth):
        names[f'ts_attn.{index}'] = f'backbone.attn_regress.{index}'
        for stack in _STACKS:
            published, ours = f'{stack}.{index}', f'backbone.{stack}.{index}'
            for half in ('s', 't'):
                for key in ('norm1_{}', 'attn_{}.qkv', 'attn_{}.proj', 'norm2_{}'):
                    key = key.format(half)
                    names[f'{published}.{key}'] = f'{ours}.{key}'
                names[f'{published}.mlp_{half}.fc1'] = f'{ours}.mlp_{half}.0'
                names[f'{published}.mlp_{half}.fc2'] = f'{ours}.mlp_{half}.2'
    return names


def _sizes(state: Tensors, depth: int) -> dict[str, Any]:
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
    _NAME, marks=('blocks_st.', 'blocks_ts.', 'ts_attn.'), convert=convert
)
