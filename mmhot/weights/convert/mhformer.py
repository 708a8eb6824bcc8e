"""Published checkpoints of MHFormer, plain and pruned.

Pruned models have the keys of plain ones; the setting ``token_num`` says which.
"""

from typing import Any

import torch

from mmhot.weights.convert import (
    BLOCK,
    NORM,
    PublishedModel,
    Tensors,
    count_blocks,
    lifter_config,
    merge_settings,
    pruning_config,
    pruning_defaults,
    rename_keys,
    with_leaves,
)

_NAME = 'MHFormer'
_HYPOTHESES = range(3)
_MIX = {'norm2': 'mix.norm', 'mlp.fc1': 'mix.mlp.fc1', 'mlp.fc2': 'mix.mlp.fc2'}
_CROSS = {'linear_q': 'query', 'linear_k': 'key', 'linear_v': 'value', 'proj': 'proj'}
_GENERATION = 'Transformer_encoder_1.blocks'
_REFINEMENT = 'Transformer_hypothesis.SHR_blocks'
_INTERACTION = 'Transformer_hypothesis.CHI_blocks'


def convert(tensors: Tensors, settings: dict[str, Any]) -> tuple[dict, Tensors]:
    """Return the config and our state dict of a published MHFormer."""
    depths = [
        count_blocks(tensors, stack)
        for stack in (_GENERATION, _REFINEMENT, _INTERACTION)
    ]
    names = {
        **_generation_names(depths[0]),
        **_embedding_names('embedding_1.1.running_mean' in tensors),
        **_layer_names(*depths[1:]),
        **with_leaves({'Transformer_hypothesis.norm': 'backbone.norm'}),
        **with_leaves({'regression.0': 'backbone.batch_norm'}, *NORM),
        **with_leaves({'regression.1': 'head.fc'}),
    }
    state = _reshape(rename_keys(tensors, names, _NAME))
    found = _sizes(state)
    pruning = pruning_defaults(1, found['frames'], recovered=False)
    sizes = merge_settings(settings, found, pruning, _NAME)
    backbone = {
        'type': _NAME,
        'num_frames': sizes['frames'],
        'in_channels': sizes['in_channels'],
        'embed_dims': sizes['channel'],
        'mlp_dims': sizes['d_hid'],
        'generation_depth': depths[0],
        'depth': depths[1],
        'interaction_depth': depths[2],
        'num_keypoints': sizes['n_joints'],
        **pruning_config(sizes, recovered=False),
    }
    config = lifter_config(backbone, in_channels=3 * sizes['channel'])
    config['head']['num_keypoints'] = sizes['out_joints']
    return config, state


def _generation_names(depth: int) -> dict[str, str]:
    """Map keys of the encoders that generate hypotheses to ours."""
    names = {}
    for index in _HYPOTHESES:
        published = f'Transformer_encoder_{index + 1}'
        ours = f'backbone.generate.encoders.{index}'
        modules = {
            f'norm_{index + 1}': f'backbone.generate.norms.{index}',
            f'{published}.norm': f'{ours}.{depth + 2}',
        }
        for block in range(depth):
            modules |= {
                f'{published}.blocks.{block}.{key}': f'{ours}.{block + 2}.{key}'
                for key in BLOCK
            }
        names |= {f'{published}.pos_embed': f'{ours}.0.table', **with_leaves(modules)}
    return names


def _embedding_names(are_normalized: bool) -> dict[str, str]:
    """Map keys of the embeddings and their positions to ours."""
    names = {}
    for index in _HYPOTHESES:
        published, ours = f'embedding_{index + 1}', f'backbone.embeds.{index}'
        names[f'Transformer_hypothesis.pos_embed_{index + 1}'] = f'position.{index}'
        if are_normalized:
            names |= with_leaves({f'{published}.0': f'{ours}.proj'})
            names |= with_leaves({f'{published}.1': f'{ours}.norm'}, *NORM)
        else:
            names |= with_leaves({published: ours})
    return names


def _layer_names(depth: int, interaction_depth: int) -> dict[str, str]:
    """Map keys of the layers to ours."""
    refinement, interaction = dict(_MIX), dict(_MIX)
    for index in _HYPOTHESES:
        refinement[f'norm1_{index + 1}'] = f'norms.{index}'
        for key in ('qkv', 'proj'):
            refinement[f'attn_{index + 1}.{key}'] = f'attns.{index}.{key}'
        for role in range(3):
            key = f'norm3_{index + 1}{role + 1}'
            interaction[key] = f'norms.{index}.{role}'
        for key, name in _CROSS.items():
            interaction[f'attn_{index + 1}.{key}'] = f'attns.{index}.{name}'
    blocks = [(_REFINEMENT, index, refinement) for index in range(depth)]
    blocks += [(_INTERACTION, index, interaction) for index in range(interaction_depth)]
    return with_leaves(
        {
            f'{stack}.{index}.{key}': f'backbone.layers.{layer}.{name}'
            for layer, (stack, index, block) in enumerate(blocks)
            for key, name in block.items()
        }
    )


def _reshape(state: Tensors) -> Tensors:
    """Reshape tensors, under our keys, as our layers need them."""
    positions = [state.pop(f'position.{index}') for index in _HYPOTHESES]
    state['backbone.position.table'] = torch.cat(positions, dim=-1)
    for key, tensor in state.items():
        if key.endswith('.table'):
            state[key] = tensor.flatten(0, -2)
        elif tensor.ndim == 3:
            # a convolution of width one is a linear layer
            state[key] = tensor.flatten(1)
    return state


def _sizes(state: Tensors) -> dict[str, int]:
    """Read the published settings off the shapes."""
    table = state['backbone.position.table']
    frames, channels = table.shape[-2], table.shape[-1]
    tokens = len(state['backbone.generate.encoders.0.0.table'])
    joints = len(state['head.fc.bias']) // 3
    return {
        'channel': channels // 3,
        'd_hid': len(state['backbone.layers.0.mix.mlp.fc1.bias']),
        'frames': frames,
        'n_joints': joints,
        'out_joints': joints,
        'in_channels': tokens // joints,
    }


MHFORMER = PublishedModel(
    _NAME, marks=('Transformer_hypothesis.', 'Transformer_encoder_1.'), convert=convert
)
