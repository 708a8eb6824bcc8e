"""Published checkpoints of HTNet and NanoHTNet."""

from typing import Any

from mmhot.weights.convert import (
    PublishedModel,
    Tensors,
    count_blocks,
    lifter_config,
    merge_settings,
    rename_keys,
    with_leaves,
)

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
_POOLS = ('pool3.proj.weight', 'pool2.proj.weight')
_HTNET_OUTER = {
    'patch_embed': 'backbone.embed',
    'Hiremixer.Temporal_norm': 'backbone.norm',
}
_NANOHTNET_OUTER = {
    'patch_embed': 'backbone.spatial_embed',
    'tem_patch_embed': 'backbone.temporal_embed',
    'Transformer.Temporal_norm': 'backbone.spatial_norm',
    'tem_Transformer.Temporal_norm': 'backbone.temporal_norm',
    'fcn_spa': 'backbone.spatial_proj',
    'fcn_tem': 'backbone.temporal_proj',
    'fc': 'head.fc',
}


def convert_htnet(tensors: Tensors, settings: dict[str, Any]) -> tuple[dict, Tensors]:
    """Return the config and our state dict of a published HTNet."""
    depth = count_blocks(tensors, 'Hiremixer.blocks')
    # NanoHTNet's repository has a copy of HTNet with the shorter name
    head = 'fc' if 'fc.weight' in tensors else 'fcn'
    names = {
        'pos_embed': 'backbone.position.table',
        **with_leaves({**_HTNET_OUTER, head: 'head.fc'}),
        **_stack_names('Hiremixer.blocks', 'backbone.blocks', depth),
    }
    state = _reshape(rename_keys(tensors, names, 'HTNet'))
    table = state['backbone.position.table']
    joints, channel = table.shape[-2], table.shape[-1]
    found = {
        'channel': channel,
        'layers': depth,
        'd_hid': len(state['backbone.blocks.0.mlp.fc1.weight']),
        'gcn_hidden': len(state['backbone.blocks.0.joint.conv1.bias']),
        'joints': joints,
    }
    # frames are independent: their number is not part of the model
    sizes = merge_settings(settings, found, {'heads': 8, 'frames': 1}, 'HTNet')
    backbone = {'type': 'HTNet', **_backbone_sizes(sizes)}
    return lifter_config(backbone, in_channels=sizes['channel']), state


def convert_nanohtnet(
    tensors: Tensors, settings: dict[str, Any]
) -> tuple[dict, Tensors]:
    """Return the config and our state dict of a published NanoHTNet."""
    depth = count_blocks(tensors, 'Transformer.blocks', 'tem_Transformer.blocks')
    state = _reshape(rename_keys(tensors, _nanohtnet_names(depth), 'NanoHTNet'))
    sizes = merge_settings(
        settings, _nanohtnet_sizes(state, depth), {'heads': 8}, 'NanoHTNet'
    )
    backbone = {
        'type': 'NanoHTNet',
        'num_frames': sizes['frames'],
        'num_keep_frames': sizes['keep_frames'],
        **_backbone_sizes(sizes),
        'branch_dims': sizes['hid'],
    }
    return lifter_config(backbone, in_channels=2 * sizes['hid']), state


def _nanohtnet_names(depth: int) -> dict[str, str]:
    """Map published keys to ours."""
    return {
        'pos_embed': 'backbone.spatial_position.table',
        'tem_pos_embed': 'backbone.temporal_position.table',
        **with_leaves(_NANOHTNET_OUTER),
        **_stack_names('Transformer.blocks', 'backbone.spatial_blocks', depth),
        **_stack_names(
            'tem_Transformer.blocks', 'backbone.temporal_blocks', depth, temporal=True
        ),
    }


def _nanohtnet_sizes(state: Tensors, depth: int) -> dict[str, int]:
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


def _reshape(state: Tensors) -> Tensors:
    """Reshape tensors, under our keys, as our layers need them."""
    shaped = {}
    for key, tensor in state.items():
        if key.endswith('position.table'):
            tensor = tensor.flatten(0, -2)
        elif key.endswith(_POOLS):
            # a strided convolution is a linear layer on the inputs of its kernel
            tensor = tensor.transpose(1, 2).flatten(1)
        shaped[key] = tensor
    return shaped


def _backbone_sizes(sizes: dict[str, int]) -> dict[str, int]:
    """Rename the published sizes of both models."""
    return {
        'embed_dims': sizes['channel'],
        'depth': sizes['layers'],
        'num_heads': sizes['heads'],
        'mlp_dims': sizes['d_hid'],
        'graph_dims': sizes['gcn_hidden'],
    }


def _stack_names(
    published: str, ours: str, depth: int, temporal: bool = False
) -> dict[str, str]:
    """Map published keys of a stack of spatial or temporal blocks to ours."""
    local, whole = ('local', 'whole') if temporal else ('joint', 'body')
    part = {} if temporal else {f'ipc.{key}': f'part.{x}' for key, x in _PART.items()}
    modules = {f'lgc.{key}': f'{local}.{name}' for key, name in _LOCAL.items()}
    modules |= {f'gbi.{key}': f'{whole}.{name}' for key, name in _GLOBAL.items()}
    graphs = {
        f'lgc.gcn{conv}.{key}': f'{local}.conv{conv}.{name}'
        for conv in (1, 2)
        for key, name in _GRAPH.items()
    }
    block = with_leaves(modules | part | _END) | graphs
    return {
        f'{published}.{index}.{key}': f'{ours}.{index}.{name}'
        for index in range(depth)
        for key, name in block.items()
    }


HTNET = PublishedModel('HTNet', marks=('Hiremixer.blocks.',), convert=convert_htnet)
NANOHTNET = PublishedModel(
    'NanoHTNet',
    marks=('Transformer.blocks.', 'tem_Transformer.blocks.'),
    convert=convert_nanohtnet,
)
