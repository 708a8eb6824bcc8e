"""What Python users import."""

from typing import Any

from mmhot.lifting.lifter import Lifter

__all__ = ['Inferencer', 'Lifter']


def __getattr__(name: str) -> Any:
    """Import the inferencer on first use: it needs all of the video chain."""
    if name == 'Inferencer':
        from mmhot.apis.inferencer import Inferencer

        return Inferencer
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
