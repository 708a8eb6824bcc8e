"""Python interface: lifting, inference on videos, export."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmhot.apis.inferencer import Inferencer

__all__ = ['Inferencer']


def __getattr__(name: str) -> Any:
    """Import the inferencer on first use: it needs PyTorch."""
    if name == 'Inferencer':
        return import_module('mmhot.apis.inferencer').Inferencer
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
