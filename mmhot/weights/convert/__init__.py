"""Converters of published checkpoints, one module each, and what they share."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from torch import Tensor

Tensors = dict[str, Tensor]

BLOCK = ('norm1', 'attn.qkv', 'attn.proj', 'norm2', 'mlp.fc1', 'mlp.fc2')
NORM = ('weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked')

# Keys of the Hourglass Tokenizer
_HOURGLASS = 'backbone.hourglass'
_TABLES = {
    'pos_embed_token': f'{_HOURGLASS}.slot_embeddings.0',
    'x_token': f'{_HOURGLASS}.recoverer.queries',
}
_TABLE_ENDS = ('.table', *_TABLES.values())
_PROJECTIONS = {'linear_q': 'query', 'linear_k': 'key', 'linear_v': 'value'}


@dataclass(frozen=True)
class PublishedModel:
    """Recognition and conversion of a published model's checkpoints.

    Args:
        name (str): The paper's name of the model.
        marks (tuple[str]): Prefixes; a checkpoint of this model has keys with each.
        convert (Callable): Maps the published tensors by key and the user's settings
            to the config for ``MODELS.build`` and the tensors under our keys.
    """

    name: str
    marks: tuple[str, ...]
    convert: Callable[[Tensors, dict[str, Any]], tuple[dict, Tensors]]

    def owns(self, keys: Iterable[str]) -> bool:
        """Whether keys are those of this model, complete or not."""
        keys = list(keys)
        return all(any(key.startswith(mark) for key in keys) for mark in self.marks)


def lifter_config(
    backbone: dict[str, Any], in_channels: int, target: str = 'center'
) -> dict:
    """Build the config of a lifter with the flip test, as in the papers."""
    return {
        'type': 'SequencePoseLifter',
        'backbone': backbone,
        'head': {
            'type': 'PoseLiftingHead',
            'in_channels': in_channels,
            'decoder': {'type': 'CameraPoseLifting'},
        },
        'test_cfg': {'flip_test': True, 'target': target},
    }


def rename_keys(tensors: Tensors, names: Mapping[str, str], model: str) -> Tensors:
    """Rename tensors to our keys; raise a ValueError if keys are missing or unknown."""
    missing = [key for key in names if key not in tensors]
    unknown = [key for key in tensors if key not in names]
    if missing or unknown:
        problems = [
            f'{len(keys)} {what}: {", ".join(keys)}'
            for what, keys in (('missing', missing), ('unknown', unknown))
            if keys
        ]
        raise ValueError(f'not a complete {model}: keys {"; ".join(problems)}')
    return {ours: tensors[published] for published, ours in names.items()}


def read_host(
    tensors: Tensors, names: Mapping[str, str], model: str, qkv_bias: bool = True
) -> Tensors:
    """Rename the tensors of a host of HoT, and flatten its tables (1, N, C).

    Args:
        tensors (dict[str, Tensor]): Published tensors.
        names (Mapping): Our key for each published key of the plain host.
        model (str): Name of the host, for the errors.
        qkv_bias (bool): Whether the recovering attention has biases. Defaults to True.
    """
    names = {**names, **_recovery_names(tensors, qkv_bias)}
    return {
        key: x.flatten(0, 1) if x.ndim == 3 and key.endswith(_TABLE_ENDS) else x
        for key, x in rename_keys(tensors, names, model).items()
    }


def merge_settings(
    settings: Mapping[str, Any],
    found: Mapping[str, Any],
    defaults: Mapping[str, Any],
    model: str,
) -> dict[str, Any]:
    """Merge settings from shapes, defaults and the user.

    Args:
        settings (Mapping): The user's settings, by their published names.
        found (Mapping): Settings that shapes determine; the user's must agree.
        defaults (Mapping): Published values of all other settings.
        model (str): Name of the model, for the errors.

    Raises:
        ValueError: If a setting is unknown, of another kind than its default, or
            contradicts the tensors.
    """
    known = {**found, **defaults}
    for name, value in settings.items():
        if name not in known:
            raise ValueError(
                f'unknown setting of {model}: {name}; known: {", ".join(known)}'
            )
        if name in found and value != found[name]:
            raise ValueError(
                f'setting {name}={value!r} contradicts the tensors, '
                f'which say {found[name]!r}'
            )
        if name in defaults and not _is_like(value, defaults[name]):
            raise ValueError(
                f'setting {name} must be {type(defaults[name]).__name__}, as in '
                f'{name}={defaults[name]!r}, got {value!r}'
            )
    return known | dict(settings)


def _is_like(value: Any, default: Any) -> bool:
    """Whether a setting is of its default's type; integers are real numbers too."""
    for kind in (bool, Integral, Real):
        if isinstance(default, kind):
            return isinstance(value, kind) and (kind is bool) == isinstance(value, bool)
    return isinstance(value, type(default))


def count_blocks(keys: Iterable[str], *stacks: str) -> int:
    """Count ``STACK.0.``, ``STACK.1.``, ... in the longest of several stacks."""
    pattern = re.compile(rf'(?:{"|".join(map(re.escape, stacks))})\.(\d+)\.')
    matches = map(pattern.match, keys)
    return max((int(match[1]) + 1 for match in matches if match), default=0)


def with_leaves(modules: Mapping[str, str], *leaves: str) -> dict[str, str]:
    """Append parameter names to both sides of a mapping between modules."""
    return {
        f'{published}.{leaf}': f'{ours}.{leaf}'
        for published, ours in modules.items()
        for leaf in leaves or ('weight', 'bias')
    }


def is_recovered(tensors: Mapping[str, Any]) -> bool:
    """Whether published keys are those of a host that recovers frames."""
    return 'x_token' in tensors


def _recovery_names(tensors: Tensors, qkv_bias: bool) -> dict[str, str]:
    """Map published keys of slot embedding and recovering attention to ours."""
    if not is_recovered(tensors):
        return {}
    ours = f'{_HOURGLASS}.recoverer.attention'
    projections = {
        f'cross_attention.{key}': f'{ours}.{name}' for key, name in _PROJECTIONS.items()
    }
    leaves = ('weight', 'bias') if qkv_bias else ('weight',)
    return {
        **_TABLES,
        **with_leaves(projections, *leaves),
        **with_leaves({'cross_attention.proj': f'{ours}.proj'}),
    }


def recovery_sizes(state: Tensors) -> dict[str, int]:
    """Read the published settings off tensors under our keys."""
    if _TABLES['x_token'] not in state:
        return {}
    slots, queries = (state[_TABLES[key]] for key in ('pos_embed_token', 'x_token'))
    return {'token_num': slots.shape[-2], 'frames': queries.shape[-2]}


def pruning_defaults(depth: int, num_frames: int, recovered: bool) -> dict[str, int]:
    """Return settings that shapes do not determine: the layer, mostly the frames."""
    defaults = {'layer_index': depth, 'k': 2}
    return defaults if recovered else {'token_num': num_frames, **defaults}


def pruning_config(sizes: Mapping[str, Any], recovered: bool) -> dict[str, dict]:
    """Return configs of pruner and recoverer; none if all frames are kept."""
    if sizes['token_num'] == sizes['frames'] and not recovered:
        return {}
    pruner = {
        'type': 'ClusterPruner',
        'num_keep': sizes['token_num'],
        'depth': sizes['layer_index'],
        'num_neighbors': sizes['k'],
    }
    recoverer = {'recoverer': {'type': 'AttentionRecoverer'}} if recovered else {}
    return {'pruner': pruner, **recoverer}


def evaluated_frames(pruning: Mapping[str, dict]) -> str:
    """Return which frames are evaluated with this pruning, 'all' or 'center'."""
    return 'center' if 'pruner' in pruning and 'recoverer' not in pruning else 'all'
