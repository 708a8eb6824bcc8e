"""Python interface: lifting, inference on videos, export."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmhot.apis.inferencer import Inferencer
    from mmhot.lifting.lifter import Lifter

_LAZY = {'Inferencer': 'mmhot.apis.inferencer', 'Lifter': 'mmhot.lifting.lifter'}

__all__ = ['Inferencer', 'Lifter']


def __getattr__(name: str) -> Any:
    """Import a class on first use: it needs PyTorch."""
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
