"""Plot of the people of one frame with Matplotlib, for notebooks."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmhot.errors import require_choice
from mmhot.skeletons.side_colors import SIDE_COLORS, side_of
from mmhot.structures.clips_3d import Clip3D, to_axes


def plot(
    clip: Clip3D, frame: int = 0, axes: Any = None, angles: Sequence[str] | None = None
) -> Any:
    """Plot the people of a frame in 3D, meters, z up, or their angles over time.

    Args:
        clip (Clip3D): Poses.
        frame (int): Number of the frame.
        axes (Axes, optional): Matplotlib's axes to draw on, in 3D for poses. Defaults
            to a new figure.
        angles (Sequence[str], optional): Names of :meth:`Clip3D.angles` to draw in
            degrees over the seconds, instead of a frame.

    Returns:
        Axes: The axes with the plot.

    Raises:
        ValueError: If the frame has no people, or an angle is unknown.

    Example::

        clip = mmhot.lift('demo/skating_2d_coco17.npz')
        mmhot.plot(clip, frame=30)
        mmhot.plot(clip, angles=['knee_angle_l', 'knee_angle_r'])
    """
    rows = np.flatnonzero(clip.frame == frame)
    if angles is None and not len(rows):
        raise ValueError(f'frame {frame} has no people')
    if axes is None:
        from matplotlib import pyplot  # importing it takes time

        kind = '3d' if angles is None else 'rectilinear'
        axes = pyplot.figure().add_subplot(projection=kind)
    if angles is not None:
        return _plot_angles(clip, angles, axes)
    upright = clip if clip.axes == 'world' else to_axes(clip, 'z-up')
    for pose in upright.places()[rows]:
        for joint, parent in enumerate(clip.parents):
            if parent >= 0:
                color = SIDE_COLORS[side_of(clip.joint_names[joint])]
                axes.plot(*pose[[parent, joint]].T, color=color, linewidth=3)
    axes.locator_params(nbins=4)
    axes.set(xlabel='x, m', ylabel='y, m', zlabel='z, m', aspect='equal')
    return axes


def _plot_angles(clip: Clip3D, names: Sequence[str], axes: Any) -> Any:
    """Plot a curve for each angle of each person; return the axes."""
    degrees = clip.angles()
    for name in names:
        require_choice('angles', name, degrees)
        for track in clip.track_ids:
            rows = clip.track == track
            label = name if len(clip.track_ids) == 1 else f'{name}, person {track}'
            axes.plot(clip.seconds(clip.frame[rows]), degrees[name][rows], label=label)
    axes.set(xlabel='s', ylabel='degrees')
    axes.legend()
    return axes
