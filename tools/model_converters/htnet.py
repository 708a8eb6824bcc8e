"""Published checkpoints of HTNet and NanoHTNet."""

from tools.model_converters.published_model import (
    Converted,
    PublishedModel,
    Rules,
    Settings,
    Tensors,
    count_blocks,
    lifter_config,
    merge_settings,
    rename_keys,
)

_BLOCK: Rules = (
    (r'\.lgc\.norm_gcn1\.', '.joint.norm_in.'),
    (r'\.lgc\.norm_gcn2\.', '.joint.norm_out.'),
    (r'\.lgc\.gcn(\d)\.', r'.joint.conv\1.'),
    (r'(joint\.conv\d)\.W$', r'\1.weight'),
    (r'(joint\.conv\d)\.M$', r'\1.modulation'),
    (r'(joint\.conv\d)\.adj2$', r'\1.adjacency_offset'),
    (r'\.gbi\.norm_attn\.', '.body.norm.'),
    (r'\.gbi\.', '.body.'),
    (r'\.ipc\.norm_conv1\.', '.part.norm3.'),
    (r'\.ipc\.norm_conv2\.', '.part.norm2.'),
    (r'\.ipc\.norm_conv1_mlp\.', '.part.pool3.norm.'),
    (r'\.ipc\.norm_conv2_mlp\.', '.part.pool2.norm.'),
    (r'\.ipc\.conv1\.', '.part.pool3.proj.'),
    (r'\.ipc\.conv2\.', '.part.pool2.proj.'),
    (r'\.ipc\.mlp_down_1\.', '.part.pool3.mlp.'),
    (r'\.ipc\.mlp_down_2\.', '.part.pool2.mlp.'),
    (r'\.norm_mlp\.', '.norm.'),
)
_HTNET: Rules = (
    (r'^pos_embed$', 'backbone.position.table'),
    (r'^patch_embed\.', 'backbone.embed.'),
    (r'^Hiremixer\.Temporal_norm\.', 'backbone.norm.'),
    (r'^Hiremixer\.blocks\.', 'backbone.blocks.'),
    # NanoHTNet's repository has a copy of HTNet with the shorter name
    (r'^fcn?\.', 'head.fc.'),
    *_BLOCK,
)
_NANOHTNET: Rules = (
    (r'^pos_embed$', 'backbone.spatial_position.table'),
    (r'^tem_pos_embed$', 'backbone.temporal_position.table'),
    (r'^patch_embed\.', 'backbone.spatial_embed.'),
    (r'^tem_patch_embed\.', 'backbone.temporal_embed.'),
    (r'^Transformer\.Temporal_norm\.', 'backbone.spatial_norm.'),
    (r'^tem_Transformer\.Temporal_norm\.', 'backbone.temporal_norm.'),
    (r'^Transformer\.blocks\.', 'backbone.spatial_blocks.'),
    (r'^tem_Transformer\.blocks\.', 'backbone.temporal_blocks.'),
    (r'^fcn_spa\.', 'backbone.spatial_proj.'),
    (r'^fcn_tem\.', 'backbone.temporal_proj.'),
    (r'^fc\.', 'head.fc.'),
    *_BLOCK,
    (r'(temporal_blocks\.\d+)\.joint\.', r'\1.local.'),
    (r'(temporal_blocks\.\d+)\.body\.', r'\1.whole.'),
)


def convert_htnet(tensors: Tensors, settings: Settings) -> Converted:
    """Return the config and our state dict of a published HTNet."""
    state = _flatten_kernels(rename_keys(tensors, _HTNET))
    joints, channel = state['backbone.position.table'].shape[-2:]
    from_shapes = {
        'channel': channel,
        'layers': count_blocks(state, 'backbone.blocks'),
        'd_hid': len(state['backbone.blocks.0.mlp.fc1.weight']),
        'gcn_hidden': len(state['backbone.blocks.0.joint.conv1.bias']),
        'joints': joints,
    }
    # Frames are independent: their number is not part of the model.
    sizes = merge_settings(settings, from_shapes, {'heads': 8, 'frames': 1}, 'HTNet')
    backbone = {'type': 'HTNet', **_backbone_sizes(sizes)}
    return lifter_config(backbone, in_channels=channel), state


def convert_nanohtnet(tensors: Tensors, settings: Settings) -> Converted:
    """Return the config and our state dict of a published NanoHTNet."""
    state = _flatten_kernels(rename_keys(tensors, _NANOHTNET))
    joints, channel = state['backbone.spatial_position.table'].shape[-2:]
    coordinates = state['backbone.temporal_embed.weight'].shape[1] // joints
    block = 'backbone.spatial_blocks.0'
    from_shapes = {
        'frames': state['backbone.spatial_embed.weight'].shape[1] // coordinates,
        'keep_frames': state['backbone.temporal_position.table'].shape[-2],
        'channel': channel,
        'layers': count_blocks(state, 'backbone.spatial_blocks'),
        'd_hid': len(state[f'{block}.mlp.fc1.weight']),
        'hid': len(state['backbone.temporal_proj.weight']) // joints,
        'gcn_hidden': len(state[f'{block}.joint.conv1.bias']),
        'joints': joints,
    }
    sizes = merge_settings(settings, from_shapes, {'heads': 8}, 'NanoHTNet')
    backbone = {
        'type': 'NanoHTNet',
        'num_frames': sizes['frames'],
        'num_keep_frames': sizes['keep_frames'],
        **_backbone_sizes(sizes),
        'branch_dims': sizes['hid'],
    }
    return lifter_config(backbone, in_channels=2 * sizes['hid']), state


def _flatten_kernels(state: Tensors) -> Tensors:
    """Turn strided convolutions into linear layers on the inputs of their kernels."""
    for key, tensor in state.items():
        if key.endswith(('pool3.proj.weight', 'pool2.proj.weight')):
            state[key] = tensor.transpose(1, 2).flatten(1)
    return state


def _backbone_sizes(sizes: dict[str, int]) -> dict[str, int]:
    """Rename the published sizes of both models."""
    return {
        'embed_dims': sizes['channel'],
        'depth': sizes['layers'],
        'num_heads': sizes['heads'],
        'mlp_dims': sizes['d_hid'],
        'graph_dims': sizes['gcn_hidden'],
    }


HTNET = PublishedModel('HTNet', marks=('Hiremixer.blocks.',), convert=convert_htnet)
NANOHTNET = PublishedModel(
    'NanoHTNet',
    marks=('Transformer.blocks.', 'tem_Transformer.blocks.'),
    convert=convert_nanohtnet,
)
