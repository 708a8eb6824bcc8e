"""Published checkpoints of NanoHTNet."""

from itertools import product
from typing import Any

from .published_model import (
    PublishedModel,
    Tensors,
    count_blocks,
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
# In a block, both sides name the level that they belong to first.
_LEVELS = {
    'Transformer': {'lgc': 'joint', 'gbi': 'body'},
    'tem_Transformer': {'lgc': 'local', 'gbi': 'whole'},
}
_LOCAL = {'norm_gcn1': 'norm_in', 'norm_gcn2': 'norm_out'}
_GLOBAL = {'norm_attn': 'norm', 'attn.qkv': 'attn.qkv', 'attn.proj': 'attn.proj'}
_PART = {
    'norm_conv1': 'norm3',
    'conv1': 'pool3.proj',
    'norm_conv1_mlp': 'pool3.norm',
    'mlp_down_1.fc1': 'pool3.mlp.fc1',
    'mlp_down_1.fc2': 'pool3.mlp.fc2',
    'norm_conv2': 'norm2',
    'conv2': 'pool2.proj',
    'norm_conv2_mlp': 'pool2.norm',
    'mlp_down_2.fc1': 'pool2.mlp.fc1',
    'mlp_down_2.fc2': 'pool2.mlp.fc2',
}
_END = {'norm_mlp': 'norm', 'mlp.fc1': 'mlp.fc1', 'mlp.fc2': 'mlp.fc2'}
_GRAPH = {
    'W': 'weight',
    'M': 'modulation',
    'adj2': 'adjacency_offset',
    'bias': 'bias',
}


def convert(tensors: Tensors, settings: dict[str, Any]) -> tuple[dict, Tensors]:
    """Return the config and our state dict of a published NanoHTNet."""
    depth = count_blocks(tensors, 'Transformer.blocks', 'tem_Transformer.blocks')
    state = rename_keys(tensors, _key_names(depth), _NAME)
    for key, tensor in state.items():
        if key.endswith('position.table'):
            state[key] = tensor.flatten(0, -2)
        elif key.endswith(('pool3.proj.weight', 'pool2.proj.weight')):
            # a strided convolution is a linear layer on all that its kernel sees
            state[key] = tensor.transpose(1, 2).flatten(1)
    sizes = merge_settings(settings, _sizes(state, depth), {'heads': 8}, _NAME)
    return _config(sizes), state


def _key_names(depth: int) -> dict[str, str]:
    """Map published keys to ours."""
    names = {
        'pos_embed': 'backbone.spatial_position.table',
        'tem_pos_embed': 'backbone.temporal_position.table',
        **with_leaves(_OUTER),
    }
    stacks = {'Transformer': 'spatial', 'tem_Transformer': 'temporal'}
    for (stack, branch), index in product(stacks.items(), range(depth)):
        published, ours = f'{stack}.blocks.{index}', f'backbone.{branch}_blocks.{index}'
        names |= {
            f'{published}.{key}': f'{ours}.{name}'
            for key, name in _block_names(stack).items()
        }
    return names


def _block_names(stack: str) -> dict[str, str]:
    """Map published keys within a block of one stack to ours."""
    local, whole = _LEVELS[stack]['lgc'], _LEVELS[stack]['gbi']
    modules = {f'lgc.{key}': f'{local}.{name}' for key, name in _LOCAL.items()}
    modules |= {f'gbi.{key}': f'{whole}.{name}' for key, name in _GLOBAL.items()}
    if stack == 'Transformer':
        modules |= {f'ipc.{key}': f'part.{name}' for key, name in _PART.items()}
    graphs = {
        f'lgc.gcn{conv}.{key}': f'{local}.conv{conv}.{name}'
        for conv in (1, 2)
        for key, name in _GRAPH.items()
    }
    return with_leaves(modules | _END) | graphs


def _sizes(state: Tensors, depth: int) -> dict[str, int]:
    """Read the published settings off the shapes."""
    joints, channel = state['backbone.spatial_position.table'].shape
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


def _config(sizes: dict[str, int]) -> dict:
    """Config of a lifter of these sizes."""
    return {
        'type': 'SequencePoseLifter',
        'backbone': {
            'type': 'NanoHTNet',
            'num_frames': sizes['frames'],
            'num_keep_frames': sizes['keep_frames'],
            'embed_dims': sizes['channel'],
            'depth': sizes['layers'],
            'num_heads': sizes['heads'],
            'mlp_dims': sizes['d_hid'],
            'graph_dims': sizes['gcn_hidden'],
            'branch_dims': sizes['hid'],
        },
        'head': {
            'type': 'PoseLiftingHead',
            'in_channels': 2 * sizes['hid'],
            'decoder': {'type': 'CameraPoseLifting'},
        },
        'test_cfg': {'flip_test': True, 'target': 'centre'},
    }


NANOHTNET = PublishedModel(
    _NAME, marks=('Transformer.blocks.', 'tem_Transformer.blocks.'), convert=convert
)
