"""Building of models from configs, and loading of weights that fit them exactly."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.registry import DefaultScope
from mmengine.runner.checkpoint import CheckpointLoader
from mmpose.registry import MODELS
from torch import Tensor, nn

from mmhot.errors import one_line
from mmhot.io.pickles import safe_load
from mmhot.weights.index import SCHEME, find_shipped


@contextmanager
def naming_failures(source: str | Path) -> Iterator[None]:
    """Convert any error in a block that builds a model to a ValueError.

    The message names ``source``, the file of the config.
    """
    try:
        yield
    except Exception as error:
        raise ValueError(
            f'{source}: the model cannot be built: {one_line(error)}'
        ) from error


def build_model(
    settings: Mapping[str, Any], source: str | Path, scope: str = 'mmpose'
) -> nn.Module:
    """Build the model of a config, with random weights.

    Args:
        settings (Mapping): The model's settings.
        source (str | Path): Where the config is from, for messages.
        scope (str): Package in which types are looked up. Defaults to 'mmpose'.

    Returns:
        nn.Module: The model.

    Raises:
        ValueError: If it cannot be built.
    """
    with naming_failures(source), DefaultScope.overwrite_default_scope(scope):
        return MODELS.build(settings)


@CheckpointLoader.register_scheme(prefixes=SCHEME)
def load_from_mmhot(filename: str, map_location: Any = None) -> dict:
    """Load the shipped checkpoint ``mmhot://NAME``, for MMEngine."""
    return safe_load(find_shipped(filename) or filename, map_location or 'cpu')


def load_strictly(
    model: nn.Module, source: str | Path, content: Any, allows_more: bool = False
) -> None:
    """Load weights into a model, which they must fit exactly.

    Args:
        model (nn.Module): The model.
        source (str | Path): Where the weights are from, for messages.
        content (Any): State dict, or checkpoint with one.
        allows_more (bool): Whether to ignore tensors that the model lacks. Defaults to
            False.

    Raises:
        ValueError: If weights do not fit, or are not finite.
    """
    state = find_state(model, source, content)
    check_state(model, source, state, allows_more)
    model.load_state_dict(state, strict=not allows_more)


def find_state(model: nn.Module, source: str | Path, content: Any) -> dict[str, Tensor]:
    """Return the state dict of a checkpoint.

    Args:
        model (nn.Module): The model.
        source (str | Path): Where the weights are from, for messages.
        content (Any): State dict, or checkpoint with one.

    Returns:
        dict[str, Tensor]: Tensors (...) by name.

    Raises:
        ValueError: If the model has none of the names in the checkpoint.
    """
    state = content.get('state_dict', content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not set(state) & set(model.state_dict()):
        raise ValueError(f'{source} is a checkpoint of another model')
    return state


def check_state(
    model: nn.Module,
    source: str | Path,
    state: Mapping[str, Any],
    allows_more: bool = False,
) -> None:
    """Raise a ValueError if weights do not fit; arguments as of :func:`load_strictly`.

    ``state`` has tensors (...) by name.
    """
    expected = model.state_dict()
    known = {key: value for key, value in state.items() if key in expected}
    differences = list_differences(expected, known if allows_more else state)
    if differences:
        raise ValueError(describe_differences(source, differences))
    for key, value in known.items():
        if not value.isfinite().all():
            raise ValueError(f'{source} is damaged: {key} is not finite')


def list_differences(
    expected: Mapping[str, Tensor], state: Mapping[str, Any]
) -> list[str]:
    """List tensors that are missing, unknown or of another shape.

    Args:
        expected (Mapping[str, Tensor]): Tensors (...) of the model by name.
        state (Mapping[str, Any]): Values of the checkpoint by name.

    Returns:
        list[str]: A line for each of them.
    """
    differences = [f'{key} is missing' for key in expected if key not in state]
    differences += [f'{key} is not known' for key in state if key not in expected]
    for key, tensor in expected.items():
        found = state.get(key, tensor)
        shape = tuple(tensor.shape)
        is_tensor = isinstance(found, Tensor)
        other = tuple(found.shape) if is_tensor else type(found).__name__
        if other != shape:
            differences.append(f'{key} is {other} instead of {shape}')
    return differences


def describe_differences(source: str | Path, differences: list[str]) -> str:
    """Return the message about weights that do not fit a model.

    Args:
        source (str | Path): Where the weights are from.
        differences (list[str]): A line for each tensor that differs.
    """
    more = len(differences) - 1
    rest = f' and {more} more differences' if more else ''
    return f'{source} is a checkpoint of another model: {differences[0]}{rest}'


def fingerprint(model: nn.Module, *settings: object) -> str:
    """Return a digest of a model's weights and settings.

    It tells models apart that have the same name.

    Args:
        model (nn.Module): The model.
        *settings (object): Settings that change its results. Their ``repr`` counts.

    Returns:
        str: SHA-256 in hexadecimal digits.
    """
    content = hashlib.sha256(repr(settings).encode())
    for value in model.state_dict().values():
        content.update(np.ascontiguousarray(value.cpu().numpy()).data)
    return content.hexdigest()
