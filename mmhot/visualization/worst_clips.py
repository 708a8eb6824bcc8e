"""Plots of the clips that a lifter predicts worst."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mmhot.evaluation.error_report import ErrorReport
from mmhot.evaluation.pose_errors import mpjpe
from mmhot.io.atomic import replacing
from mmhot.skeletons.joints import Skeleton
from mmhot.visualization.drawing import skeleton_style


def draw_worst(report: ErrorReport, target: Path, count: int) -> None:
    """Draw the clips of largest MPJPE, one per row: errors over time, worst pose.

    Ground truth is gray; axes are the camera's.

    Args:
        report (ErrorReport): Report of an evaluation.
        target (Path): The ``.png`` to create or replace.
        count (int): Largest number of clips.
    """
    root, skeleton = report.root_index, report.skeleton
    errors = {
        place: 1000 * mpjpe(clip.pred, clip.target, root)
        for place, clip in enumerate(report.clips)
        if len(clip.pred)
    }
    worst = sorted(errors, key=lambda place: -errors[place].mean())[:count]
    figure = Figure(figsize=(12, 3 * len(worst)), layout='constrained')
    rows = figure.subplots(len(worst), 3, squeeze=False, width_ratios=[2, 1, 1])
    for (curve, *views), place in zip(rows, worst, strict=True):
        clip, of_clip = report.clips[place], errors[place]
        frames = np.arange(len(of_clip)) if clip.frames is None else clip.frames
        row = int(of_clip.argmax())
        curve.plot(frames, of_clip, '.', markersize=3)
        curve.set(xlabel='frame', ylabel='MPJPE, mm', ylim=(0, None))
        name = clip.clip or f'{clip.subject} {clip.action}'
        curve.set_title(f'{clip.dataset} {name}: mean {of_clip.mean():.1f} mm'.strip())
        for axes, side, x in zip(views, ('front', 'side'), (0, 2), strict=True):
            for poses, style in ((clip.target, '#b0b0b0'), (clip.pred, None)):
                pose = poses[row] - poses[row, root]
                _draw_pose(axes, pose[:, [x, 1]], skeleton, style)
            axes.set_title(f'frame {frames[row]}, {side}: {of_clip[row]:.1f} mm')
    with replacing(target) as temporary:
        FigureCanvasAgg(figure).print_png(temporary)


def _draw_pose(
    axes: Axes, pose: np.ndarray, skeleton: Skeleton | None, color: str | None
) -> None:
    """Draw joints (K, 2) and bones, by default in the colors of body sides."""
    axes.plot(*pose.T, '.', color=color or '#404040', markersize=3)
    if skeleton is not None:
        style = skeleton_style(skeleton.joints, skeleton.parents)
        for bone, of_side in zip(style.bones, style.colors, strict=True):
            axes.plot(*pose[bone].T, color=color or of_side[::-1] / 255)
    axes.set_aspect('equal', adjustable='datalim')
    axes.yaxis.set_inverted(True)
