"""Building models of configs, or one line that says why one cannot be built."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.registry import DefaultScope
from mmpose.registry import MODELS
from torch import nn


@contextmanager
def naming_failures(source: str | Path) -> Iterator[None]:
    """Blame a config for whatever fails while its model is built.

    Names and numbers come from the config, so any exception may be its fault.

    Args:
        source (str | Path): The config, for the message.

    Raises:
        ValueError: In one line, instead of any exception.
    """
    try:
        yield
    except Exception as error:
        reason = ' '.join(str(error).split())
        raise ValueError(f'{source}: the model cannot be built: {reason}') from error


def build_model(
    settings: Mapping[str, Any], source: str | Path, scope: str = 'mmpose'
) -> nn.Module:
    """Build the model of a config.

    Args:
        settings (Mapping): The config's ``model``.
        source (str | Path): The config, for messages.
        scope (str): Where its types are looked for first. Defaults to 'mmpose'.

    Returns:
        nn.Module: With random weights.

    Raises:
        ValueError: If it cannot be built.
    """
    with naming_failures(source), DefaultScope.overwrite_default_scope(scope):
        return MODELS.build(settings)
