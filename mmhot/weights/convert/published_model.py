"""What the converters of all published models have in common."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from torch import Tensor

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class PublishedModel:
    """How a published model's checkpoints are recognized and converted.

    Args:
        name (str): The paper's name of the model.
        marks (tuple[str]): Beginnings of keys; a checkpoint is this model's if it
            has keys with each of them.
        convert (Callable): Takes the published tensors by key and the user's
            settings; returns the config for ``MODELS.build`` and the tensors under
            our keys. Raises ValueError through :func:`rename_keys` and
            :func:`merge_settings`.
    """

    name: str
    marks: tuple[str, ...]
    convert: Callable[[Tensors, dict[str, Any]], tuple[dict, Tensors]]

    def owns(self, keys: Iterable[str]) -> bool:
        """Whether keys are those of this model, give or take a few."""
        keys = list(keys)
        return all(any(key.startswith(mark) for key in keys) for mark in self.marks)


def lifter_config(
    backbone: dict[str, Any], in_channels: int, target: str = 'center'
) -> dict:
    """Config of a lifter that is evaluated as the papers do.

    Args:
        backbone (dict): Config of the backbone.
        in_channels (int): Channels of its features.
        target (str): Frames that are evaluated, 'center' or 'all'.
    """
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
    """Give tensors our names.

    Args:
        tensors (dict[str, Tensor]): Tensors by published key.
        names (Mapping[str, str]): Our key for each published one.
        model (str): Name of the model, for the error.

    Raises:
        ValueError: If a key is missing or unknown; names all of them.
    """
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


def merge_settings(
    settings: Mapping[str, Any],
    found: Mapping[str, Any],
    defaults: Mapping[str, Any],
    model: str,
) -> dict[str, Any]:
    """Complete what the tensors tell with what only the user can know.

    Args:
        settings (Mapping): The user's settings, by their published names.
        found (Mapping): What the tensors' shapes tell; settings may repeat it.
        defaults (Mapping): Published values of what shapes cannot tell.
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
    """Whether a setting is of its default's kind; whole numbers are real ones too."""
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
