"""Weights that fit a model exactly, or one line that says why not."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


def load_strictly(model: nn.Module, source: str | Path, content: Any) -> None:
    """Load weights; a difference is the user's mix-up, in one line.

    Args:
        model (nn.Module): Gets the weights.
        source (str | Path): Where they are from, for messages.
        content (Any): A state dict, or a checkpoint with one.

    Raises:
        ValueError: If names or shapes differ, or a number is not finite.
    """
    state = find_state(model, source, content)
    wrong = list_differences(model.state_dict(), state)
    if wrong:
        raise ValueError(_describe(source, wrong))
    refuse_broken(source, state)
    model.load_state_dict(state)


def find_state(model: nn.Module, source: str | Path, content: Any) -> dict[str, Tensor]:
    """Return the state dict of a checkpoint that shares names with a model.

    Args:
        model (nn.Module): The model.
        source (str | Path): Where the weights are from, for messages.
        content (Any): A state dict, or a checkpoint with one.

    Raises:
        ValueError: If there is none, or it is of something else.
    """
    state = content.get('state_dict', content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not set(state) & set(model.state_dict()):
        raise ValueError(f'{source} is a checkpoint of another model')
    return state


def refuse_other_shapes(
    model: nn.Module, source: str | Path, state: Mapping[str, Tensor]
) -> None:
    """Raise a ValueError if a model has a tensor of that name and another shape.

    Loading may make such weights fit, as a start for training (bins of other
    pictures); what they find then is worse.
    """
    wrong = list_other_shapes(model.state_dict(), state)
    if wrong:
        raise ValueError(_describe(source, wrong))


def refuse_broken(source: str | Path, state: Mapping[str, Tensor]) -> None:
    """Raise a ValueError if a number is not finite."""
    broken = [
        key
        for key, value in state.items()
        if isinstance(value, Tensor) and not torch.isfinite(value).all()
    ]
    if broken:
        raise ValueError(f'{source} is damaged: {broken[0]} is not finite')


def list_differences(
    expected: Mapping[str, Tensor], state: Mapping[str, Any]
) -> list[str]:
    """Say which tensors are missing, not known or of another shape, one line each."""
    wrong = [f'{key} is missing' for key in expected if key not in state]
    wrong += [f'{key} is not known' for key in state if key not in expected]
    return wrong + list_other_shapes(expected, state)


def list_other_shapes(
    expected: Mapping[str, Tensor], state: Mapping[str, Any]
) -> list[str]:
    """Say which tensors are of another shape than expected, one line for each."""
    return [
        f'{key} is {_shape(state[key])} instead of {tuple(value.shape)}'
        for key, value in expected.items()
        if key in state and _shape(state[key]) != tuple(value.shape)
    ]


def _shape(value: Any) -> tuple[int, ...] | str:
    return tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__


def _describe(source: str | Path, wrong: list[str]) -> str:
    more = f' and {len(wrong) - 1} more differences' if len(wrong) > 1 else ''
    return f'{source} is a checkpoint of another model: {wrong[0]}{more}'
