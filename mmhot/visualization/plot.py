"""Plot of the people of one frame with Matplotlib, for notebooks."""

from typing import Any

import numpy as np

from mmhot.skeletons.side_colors import SIDE_COLORS, side_of
from mmhot.structures.clips import Clip3D, to_axes


def plot(clip: Clip3D, frame: int = 0, axes: Any = None) -> Any:
    """Plot the people of a frame in 3D, meters, z up.

    Args:
        clip (Clip3D): Poses.
        frame (int): Number of the frame. Defaults to 0.
        axes (Axes3D, optional): Where to draw; a new figure by default.

    Returns:
        Axes3D: The axes.

    Raises:
        ValueError: If the frame has no people.
    """
    rows = np.flatnonzero(clip.frame == frame)
    if not len(rows):
        raise ValueError(f'frame {frame} has no people')
    if axes is None:
        from matplotlib import pyplot  # importing it takes time

        axes = pyplot.figure().add_subplot(projection='3d')
    upright = clip if clip.axes == 'world' else to_axes(clip, 'z-up')
    for pose in upright.places()[rows]:
        for joint, parent in enumerate(clip.parents):
            if parent >= 0:
                color = SIDE_COLORS[side_of(clip.joint_names[joint])]
                axes.plot(*pose[[parent, joint]].T, color=color, linewidth=3)
    axes.locator_params(nbins=4)
    axes.set(xlabel='x, m', ylabel='y, m', zlabel='z, m', aspect='equal')
    return axes
