"""MMPose extension that lifts whole clips of 2D keypoints to 3D.

Importing this package is cheap: it loads neither PyTorch nor MMEngine. What registers
itself with MMPose is imported by :mod:`mmhot.plugin`; the names below are imported when
they are first used.
"""

from importlib import import_module
from typing import Any

from mmhot import compat

__version__ = '0.1.0'

_LAZY = {
    'Clip2D': 'mmhot.clips',
    'Clip3D': 'mmhot.clips',
    'Lifter': 'mmhot.lifting.lifter',
    'convert_keypoints': 'mmhot.skeletons.joints',
    'get_skeleton': 'mmhot.skeletons.joints',
    'read_keypoints': 'mmhot.io.readers.keypoints',
}

__all__ = ['__version__', *sorted(_LAZY)]

compat.apply_light()


def __getattr__(name: str) -> Any:
    """Import one of the public names on first use."""
    if name not in _LAZY:
        raise AttributeError(f"module 'mmhot' has no attribute {name!r}")
    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the lazy names too, so that completion finds them."""
    return sorted({*globals(), *_LAZY})
