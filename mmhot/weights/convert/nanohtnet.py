"""Published checkpoints of NanoHTNet."""

from typing import Any

from mmhot.weights.convert.human_topology import (
    backbone_sizes,
    reshape_tensors,
    spatial_names,
    temporal_names,
)
from mmhot.weights.convert.published_model import (
    PublishedModel,
    Tensors,
    count_blocks,
    lifter_config,
    merge_settings,
    rename_keys,
    with_leaves,
)

_NAME = 'NanoHTNet'
_OUTER = {
    'patch_embed': 'backbone.spatial_embed',
    'tem_patch_embed': 'backbone.temporal_embed',
    'Transformer.Temporal_norm': 'backbone.spatial_norm',
    'tem_Transformer.Temporal_norm': 'backbone.temporal_norm',
    'fcn_spa': 'backbone.spatial_proj',
    'fcn_tem': 'backbone.temporal_proj',
    'fc': 'head.fc',
}


def convert(tensors: Tensors, settings: dict[str, Any]) -> tuple[dict, Tensors]:
    """Return the config and our state dict of a published NanoHTNet."""
    depth = count_blocks(tensors, 'Transformer.blocks', 'tem_Transformer.blocks')
    state = reshape_tensors(rename_keys(tensors, _key_names(depth), _NAME))
    sizes = merge_settings(settings, _sizes(state, depth), {'heads': 8}, _NAME)
    backbone = {
        'type': _NAME,
        'num_frames': sizes['frames'],
        'num_keep_frames': sizes['keep_frames'],
        **backbone_sizes(sizes),
        'branch_dims': sizes['hid'],
    }
    return lifter_config(backbone, in_channels=2 * sizes['hid']), state


def _key_names(depth: int) -> dict[str, str]:
    """Map published keys to ours."""
    return {
        'pos_embed': 'backbone.spatial_position.table',
        'tem_pos_embed': 'backbone.temporal_position.table',
        **with_leaves(_OUTER),
        **spatial_names('Transformer.blocks', 'backbone.spatial_blocks', depth),
        **temporal_names('tem_Transformer.blocks', 'backbone.temporal_blocks', depth),
    }


def _sizes(state: Tensors, depth: int) -> dict[str, int]:
    """Read the published settings off the shapes."""
    table = state['backbone.spatial_position.table']
    joints, channel = table.shape[-2], table.shape[-1]
    coordinates = state['backbone.temporal_embed.weight'].shape[1] // joints
    block = 'backbone.spatial_blocks.0.'
    return {
        'frames': state['backbone.spatial_embed.weight'].shape[1] // coordinates,
        'keep_frames': len(state['backbone.temporal_position.table']),
        'channel': channel,
        'layers': depth,
        'd_hid': len(state[f'{block}mlp.fc1.weight']),
        'hid': len(state['backbone.temporal_proj.weight']) // joints,
        'gcn_hidden': len(state[f'{block}joint.conv1.bias']),
        'joints': joints,
    }


NANOHTNET = PublishedModel(
    _NAME, marks=('Transformer.blocks.', 'tem_Transformer.blocks.'), convert=convert
)
