"""Published checkpoints of MixSTE, plain and as host of HoT.

Models pruned without recovery have the keys of plain ones; the setting ``token_num``
says which.
"""

from typing import Any

from mmhot.weights.convert.published_model import (
    BLOCK,
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

_NAME = 'MixSTE'
_STACKS = {'STEblocks': 'spatial_blocks', 'TTEblocks': 'temporal_blocks'}
_OUTER = {
    'Spatial_patch_to_embedding': 'backbone.embed',
    'Spatial_norm': 'backbone.spatial_norm',
    'Temporal_norm': 'backbone.temporal_norm',
    'head.0': 'backbone.norm',
    'head.1': 'head.fc',
}
_POSITIONS = {
    'Spatial_pos_embed': 'backbone.spatial_position.table',
    'Temporal_pos_embed': 'backbone.temporal_position.table',
}


def convert(tensors: Tensors, settings: dict[str, Any]) -> tuple[dict, Tensors]:
    """Return the config and our state dict of a published MixSTE."""
    depth, recovered = count_blocks(tensors, *_STACKS), is_recovered(tensors)
    names = {**_POSITIONS, **with_leaves({**_OUTER, **_block_names(depth)})}
    state = rename_keys(tensors, {**names, **recovery_names(tensors)}, _NAME)
    state = flatten_tables(state)
    found = _sizes(state, depth)
    if recovered or 'token_num' in settings:
        # the released code of pruned models ignores this option
        settings = {key: settings[key] for key in settings if key != 'd_hid'}
    layer = 3 if recovered else depth - 1
    defaults = pruning_defaults(layer, found['frames'], recovered)
    sizes = merge_settings(settings, found, {'num_heads': 8, **defaults}, _NAME)
    pruning = pruning_config(sizes, recovered)
    backbone = {
        'type': _NAME,
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


def _block_names(depth: int) -> dict[str, str]:
    """Map modules of the blocks to ours."""
    return {
        f'{published}.{index}.{key}': f'backbone.{ours}.{index}.{key}'
        for published, ours in _STACKS.items()
        for index in range(depth)
        for key in BLOCK
    }


def _sizes(state: Tensors, depth: int) -> dict[str, int]:
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


MIXSTE = PublishedModel(_NAME, marks=('STEblocks.', 'TTEblocks.'), convert=convert)
