"""Description of a published model, and what the converters share."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

Tensors = dict[str, Tensor]
Settings = dict[str, Any]
Converted = tuple[dict, Tensors]
Rule = tuple[str, str | Callable[[re.Match], str]]
Rules = Sequence[Rule]
"""Patterns and their replacements in keys, applied one after the other."""

_HOURGLASS = 'backbone.hourglass'
_SLOTS = f'{_HOURGLASS}.slot_embeddings.0'
_QUERIES = f'{_HOURGLASS}.recoverer.queries'
RECOVERY: Rules = (
    (r'^pos_embed_token$', _SLOTS),
    (r'^x_token$', _QUERIES),
    (r'^cross_attention\.', f'{_HOURGLASS}.recoverer.attention.'),
    (r'\.linear_q\.', '.query.'),
    (r'\.linear_k\.', '.key.'),
    (r'\.linear_v\.', '.value.'),
)
"""Keys of a host of HoT that recovers frames."""


@dataclass(frozen=True)
class PublishedModel:
    """Recognition and conversion of a published model's checkpoints."""

    name: str  # name in its paper
    marks: tuple[str, ...]  # prefixes; each one begins some key of its checkpoints
    # Function that maps published tensors and the user's settings to a config for
    # `MODELS.build` and tensors under our keys, perhaps without axes of length one.
    convert: Callable[[Tensors, Settings], Converted]


def rename_keys(tensors: Tensors, rules: Rules) -> Tensors:
    """Rename tensors (...) to our keys; unknown keys stay, and are refused later."""
    renamed = {}
    for key, tensor in tensors.items():
        for pattern, replacement in rules:
            key = re.sub(pattern, replacement, key)
        renamed[key] = tensor
    return renamed


def lifter_config(
    backbone: dict[str, Any], in_channels: int, target: str = 'center', **head: Any
) -> dict:
    """Build the config of a lifter with the flip test, as in the papers.

    Args:
        backbone (dict[str, Any]): Config of the backbone.
        in_channels (int): Channels of the backbone's output.
        target (str): Frames with poses, 'all' or 'center'. Defaults to 'center'.
        **head: Further settings of the head.
    """
    return {
        'type': 'SequencePoseLifter',
        'backbone': backbone,
        'head': {
            'type': 'PoseLiftingHead',
            'in_channels': in_channels,
            'decoder': {'type': 'CameraPoseLifting'},
            **head,
        },
        'test_cfg': {'flip_test': True, 'target': target},
    }


def merge_settings(
    settings: Mapping[str, Any],
    from_shapes: Mapping[str, Any],
    defaults: Mapping[str, Any],
    model: str,
) -> dict[str, Any]:
    """Merge a model's settings from shapes, published defaults and the user.

    Raises:
        ValueError: If one of the user's is unknown or contradicts the tensors.
    """
    allowed = {**defaults, **from_shapes}
    for name, value in settings.items():
        if name not in allowed:
            raise ValueError(
                f'unknown setting of {model}: {name}; known: {", ".join(allowed)}'
            )
        if name in from_shapes and value != from_shapes[name]:
            raise ValueError(
                f'setting {name}={value!r} contradicts the tensors, '
                f'which say {from_shapes[name]!r}'
            )
    return allowed | dict(settings)


def count_blocks(keys: Iterable[str], stack: str) -> int:
    """Count ``STACK.0.``, ``STACK.1.``, ..."""
    matches = (re.match(rf'{re.escape(stack)}\.(\d+)\.', key) for key in keys)
    return max((int(match[1]) + 1 for match in matches if match), default=0)


def recovery_sizes(state: Tensors) -> dict[str, int]:
    """Read the published settings of a host that recovers frames; empty for others."""
    if _QUERIES not in state:
        return {}
    return {'token_num': state[_SLOTS].shape[-2], 'frames': state[_QUERIES].shape[-2]}


def merge_pruning(
    settings: Mapping[str, Any],
    from_shapes: Mapping[str, Any],
    defaults: Mapping[str, Any],
    model: str,
    layer: int,
) -> tuple[dict[str, Any], dict[str, dict]]:
    """Merge the settings of a host and of its pruning, as :func:`merge_settings`.

    Shapes do not determine the ``layer`` that prunes and, without recovery, the number
    of kept frames, by default all.

    Returns:
        tuple[dict, dict]: Settings, and configs of pruner and recoverer; none if all
        frames are kept.
    """
    usual = {'layer_index': layer, 'k': 2, 'token_num': from_shapes['frames']}
    sizes = merge_settings(settings, from_shapes, {**usual, **defaults}, model)
    recovered = 'token_num' in from_shapes
    if sizes['token_num'] == sizes['frames'] and not recovered:
        return sizes, {}
    pruner = {
        'type': 'ClusterPruner',
        'num_keep': sizes['token_num'],
        'depth': sizes['layer_index'],
        'num_neighbors': sizes['k'],
    }
    recoverer = {'recoverer': {'type': 'AttentionRecoverer'}} if recovered else {}
    return sizes, {'pruner': pruner, **recoverer}


def evaluated_frames(pruning: Mapping[str, dict]) -> str:
    """Return which frames are evaluated with this pruning, 'all' or 'center'."""
    return 'center' if 'pruner' in pruning and 'recoverer' not in pruning else 'all'
