"""Published checkpoints of MHFormer, plain and pruned.

Pruned models have the keys of plain ones; the setting ``token_num`` says which.
"""

import re
from collections.abc import Callable

import torch

from tools.model_converters.published_model import (
    Converted,
    PublishedModel,
    Rule,
    Rules,
    Settings,
    Tensors,
    count_blocks,
    lifter_config,
    merge_pruning,
    rename_keys,
)

_NAME = 'MHFormer'
_HYPOTHESIS = 'Transformer_hypothesis'
_STACKS = (
    'Transformer_encoder_1.blocks',
    f'{_HYPOTHESIS}.SHR_blocks',
    f'{_HYPOTHESIS}.CHI_blocks',
)


def convert(tensors: Tensors, settings: Settings) -> Converted:
    """Return the config and our state dict of a published MHFormer."""
    depths = [count_blocks(tensors, stack) for stack in _STACKS]
    state = rename_keys(tensors, _rules(*depths[:2]))
    positions = [state.pop(f'position.{index}') for index in range(3)]
    table = torch.cat(positions, dim=-1)
    state['backbone.position.table'] = table
    frames, channels = table.shape[-2:]
    joints = len(state['head.fc.bias']) // 3
    from_shapes = {
        'channel': channels // 3,
        'd_hid': len(state['backbone.layers.0.mix.mlp.fc1.bias']),
        'frames': frames,
        'n_joints': joints,
        'out_joints': joints,
        'in_channels': state['backbone.generate.encoders.0.0.table'].shape[-2]
        // joints,
    }
    sizes, pruning = merge_pruning(settings, from_shapes, {}, _NAME, layer=1)
    backbone = {
        'type': _NAME,
        'num_frames': frames,
        'in_channels': sizes['in_channels'],
        'embed_dims': sizes['channel'],
        'mlp_dims': sizes['d_hid'],
        'generation_depth': depths[0],
        'depth': depths[1],
        'interaction_depth': depths[2],
        'num_keypoints': joints,
        **pruning,
    }
    return lifter_config(backbone, channels, num_keypoints=joints), state


def _follow(embedding: str) -> Callable[[re.Match], str]:
    """Return a replacement that numbers blocks after position and norm."""
    return lambda match: f'{embedding}.{int(match[1]) + 2}.'


def _rules(generation_depth: int, depth: int) -> Rules:
    """Return rules that rename keys; layers of interaction follow refinement layers."""
    rules: list[Rule] = [
        (rf'^{_HYPOTHESIS}\.norm\.', 'backbone.norm.'),
        (r'^regression\.0\.', 'backbone.batch_norm.'),
        (r'^regression\.1\.', 'head.fc.'),
        (rf'^{_HYPOTHESIS}\.SHR_blocks\.', 'backbone.layers.'),
        (
            rf'^{_HYPOTHESIS}\.CHI_blocks\.(\d+)\.',
            lambda match: f'backbone.layers.{int(match[1]) + depth}.',
        ),
        (r'(layers\.\d+)\.norm2\.', r'\1.mix.norm.'),
        (r'(layers\.\d+)\.mlp\.', r'\1.mix.mlp.'),
        (r'\.linear_q\.', '.query.'),
        (r'\.linear_k\.', '.key.'),
        (r'\.linear_v\.', '.value.'),
    ]
    for index in range(3):
        rules += _hypothesis_rules(index, generation_depth)
    return rules


def _hypothesis_rules(index: int, generation_depth: int) -> Rules:
    """Return rules for one of three hypotheses, which published keys count from 1."""
    number = index + 1
    encoder = f'backbone.generate.encoders.{index}'
    published = f'^Transformer_encoder_{number}'
    embed = f'backbone.embeds.{index}'
    return [
        (rf'^norm_{number}\.', f'backbone.generate.norms.{index}.'),
        (rf'{published}\.pos_embed$', f'{encoder}.0.table'),
        (rf'{published}\.norm\.', f'{encoder}.{generation_depth + 2}.'),
        (rf'{published}\.blocks\.(\d+)\.', _follow(encoder)),
        (rf'^{_HYPOTHESIS}\.pos_embed_{number}$', f'position.{index}'),
        (rf'^embedding_{number}\.0\.', f'{embed}.proj.'),
        (rf'^embedding_{number}\.1\.', f'{embed}.norm.'),
        (rf'^embedding_{number}\.', f'{embed}.'),
        (rf'(layers\.\d+)\.norm1_{number}\.', rf'\1.norms.{index}.'),
        (rf'(layers\.\d+)\.attn_{number}\.', rf'\1.attns.{index}.'),
        *(
            (
                rf'(layers\.\d+)\.norm3_{number}{role + 1}\.',
                rf'\1.norms.{index}.{role}.',
            )
            for role in range(3)
        ),
    ]


MHFORMER = PublishedModel(
    _NAME, marks=(f'{_HYPOTHESIS}.', 'Transformer_encoder_1.'), convert=convert
)
