"""Shims: conditional and reversible patches of other packages.

A :class:`Shim` is installed only where it is needed. ``import mmhot`` installs the
light ones, which import nothing, and ``mmhot.plugin`` the others.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from mmhot.compat import import_hooks

Undo = Callable[[], object]
"""Function that reverts a shim."""


@dataclass(frozen=True)
class Shim:
    """Patch of another package.

    Attributes:
        name (str): Name in ``mmhot doctor``.
        reason (str): Problem that it solves, in one line.
        install (Callable): Function that installs it and returns one that reverts it,
            or None if it is not needed.
        light (bool): Whether it imports nothing, so that ``import mmhot`` installs it.
    """

    name: str
    reason: str
    install: Callable[[], Undo | None]
    light: bool = False


_LATER = 'with mmhot.plugin, where needed'
_TELEMETRY = 'ORT_DISABLE_TELEMETRY'
_undo: dict[str, Undo] = {}


def apply(light: bool = False) -> tuple[str, ...]:
    """Install all shims that are needed.

    Args:
        light (bool): Whether to install the light ones only. Defaults to False.

    Returns:
        tuple[str, ...]: Names of all installed shims.
    """
    for shim in SHIMS:
        if shim.name not in _undo and (shim.light or not light):
            undo = shim.install()
            if undo is not None:
                _undo[shim.name] = undo
    return applied()


def revert(kept: int = 0) -> None:
    """Revert installed shims, the last one first.

    Args:
        kept (int): Number of shims, in the order of their installation, that stay.
            Defaults to 0.
    """
    while len(_undo) > kept:
        _undo.popitem()[1]()


def applied() -> tuple[str, ...]:
    """Return the names of installed shims."""
    return tuple(_undo)


def states() -> dict[str, str]:
    """Return the state of each shim by name: whether it is or will be installed."""
    later = {shim.name: 'not needed' if shim.light else _LATER for shim in SHIMS}
    return {**later, **dict.fromkeys(_undo, 'in place')}


@contextmanager
def shims() -> Iterator[tuple[str, ...]]:
    """Install all shims that are needed for a block.

    Yields:
        tuple[str, ...]: Names of installed shims. The newly installed ones are reverted
        after the block.

    Example::

        with shims():
            content = torch.load('epoch_1.pth')
    """
    before = len(_undo)
    try:
        yield apply()
    finally:
        revert(before)


def disable_telemetry() -> Undo | None:
    """Turn off ONNX Runtime's telemetry, for child processes, too.

    Telemetry writes to the home folder. ONNX Runtime reads the environment variable
    when it is imported.
    """
    if _TELEMETRY in os.environ:
        return None
    os.environ[_TELEMETRY] = '1'
    return lambda: os.environ.pop(_TELEMETRY, None)


def restore_tostring_rgb() -> Undo | None:
    """Restore a method that Matplotlib's canvas had up to 3.9, if it is missing."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    if hasattr(FigureCanvasAgg, 'tostring_rgb'):
        return None

    def tostring_rgb(canvas: Any) -> bytes:
        return np.asarray(canvas.buffer_rgba())[..., :3].tobytes()

    FigureCanvasAgg.tostring_rgb = tostring_rgb
    return lambda: delattr(FigureCanvasAgg, 'tostring_rgb')


def pass_scalar_radius() -> Undo | None:
    """Pass radii of circles as numbers to OpenCV, in MMPose's visualizer."""
    import numpy as np

    if tuple(map(int, np.__version__.split('.')[:2])) < (2, 4):
        return None
    from mmpose.visualization import PoseLocalVisualizer

    original = PoseLocalVisualizer.draw_circles

    def draw_circles(self: Any, center: Any, radius: Any, *args: Any, **kwargs: Any):
        if self.backend == 'opencv':
            radius = np.asarray(radius).item()
        return original(self, center, radius, *args, **kwargs)

    # Without this method the visualizer inherits that of OpencvBackendVisualizer again.
    PoseLocalVisualizer.draw_circles = draw_circles
    return lambda: delattr(PoseLocalVisualizer, 'draw_circles')


SHIMS = (
    Shim(
        'config scheme',
        "MMEngine resolves '_base_ = mmhot::...' only for packages that it lists",
        import_hooks.add_config_scheme,
        light=True,
    ),
    Shim(
        'xtcocotools',
        'no wheels for NumPy 2 or Python >= 3.12',
        import_hooks.provide_xtcocotools,
        light=True,
    ),
    Shim(
        'mmcv._ext',
        "mmcv-lite has no compiled operators; torchvision's replace them",
        import_hooks.provide_mmcv_operators,
        light=True,
    ),
    Shim(
        'telemetry',
        'ONNX Runtime >= 1.29 sends events and an ID of the device',
        disable_telemetry,
        light=True,
    ),
    Shim(
        'checkpoint globals',
        'torch >= 2.6 refuses the NumPy arrays and HistoryBuffers in checkpoints',
        lambda: import_module('mmhot.compat.checkpoints').allow_checkpoint_globals(),
    ),
    Shim(
        'tostring_rgb',
        "Matplotlib >= 3.10 lacks the method with which MMPose's visualizer draws",
        restore_tostring_rgb,
    ),
    Shim(
        'circle radius',
        "NumPy >= 2.4 does not convert the arrays that MMPose's visualizer passes",
        pass_scalar_radius,
    ),
)
