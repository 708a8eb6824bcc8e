"""Shims for MMPose's visualizers on current Matplotlib and NumPy."""

from collections.abc import Callable
from typing import Any

import numpy as np


def restore_tostring_rgb() -> Callable[[], None] | None:
    """Restore a method that Matplotlib's canvas had up to 3.9, if it is missing."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    if hasattr(FigureCanvasAgg, 'tostring_rgb'):
        return None
    FigureCanvasAgg.tostring_rgb = _tostring_rgb

    def undo() -> None:
        del FigureCanvasAgg.tostring_rgb

    return undo


def _tostring_rgb(canvas: Any) -> bytes:
    return np.asarray(canvas.buffer_rgba())[..., :3].tobytes()


def pass_scalar_radius() -> Callable[[], None] | None:
    """Make MMPose's visualizer draw circles with scalar radii.

    It converts arrays of one element by ``int``, which NumPy refuses since 2.4.

    Returns:
        Callable, optional: Reverts it; None if NumPy still converts.
    """
    if tuple(map(int, np.__version__.split('.')[:2])) < (2, 4):
        return None
    from mmpose.visualization import PoseLocalVisualizer

    original = PoseLocalVisualizer.draw_circles

    def draw_circles(self: Any, center: Any, radius: Any, *args: Any, **kwargs: Any):
        if self.backend == 'opencv':
            radius = np.asarray(radius).item()
        return original(self, center, radius, *args, **kwargs)

    # inherited from OpencvBackendVisualizer
    PoseLocalVisualizer.draw_circles = draw_circles

    def undo() -> None:
        del PoseLocalVisualizer.draw_circles

    return undo
