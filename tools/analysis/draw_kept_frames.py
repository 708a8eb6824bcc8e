"""Draw the frames of a window that an hourglass lifter keeps.

Compares the model's pruner with other pruners at the same place: clusters of features,
uniform sampling, and the frames with most motion. Example::

    python -m tools.analysis.draw_kept_frames demo/skating_2d_coco17.npz kept.png
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import output_file
from mmhot.io.atomic import replacing
from mmhot.io.readers.keypoints import read_keypoints
from mmhot.lifting.lifter import Lifter
from mmhot.models.tokens.pruners import ClusterPruner, MotionPruner, UniformPruner
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips import Clip2D
from mmhot.visualization.drawing import skeleton_style

_PRUNERS = {'clusters': ClusterPruner, 'uniform': UniformPruner, 'motion': MotionPruner}
_H36M, _NUM_POSES = get_skeleton('h36m-17'), 9


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__)
    parser.add_argument('clip', type=Path, help='2D keypoints')
    parser.add_argument('target', type=output_file, help='.png file to write')
    parser.add_argument(
        '--model', help='config or name of a lifter with a pruner (default: shipped)'
    )
    parser.add_argument('--checkpoint', type=Path, help='its weights')
    parser.add_argument(
        '--start', type=int, default=0, help='first frame of the window (default: 0)'
    )
    return parser.parse_args()


def draw(args: argparse.Namespace) -> None:
    """Draw one window of the first person."""
    lifter = Lifter(args.model, args.checkpoint, backend='torch')
    clip = read_keypoints(args.clip)
    keypoints, kept = trace_frames(lifter, clip, args.start)
    figure = draw_kept_frames(keypoints, kept, lifter.fps)
    with replacing(args.target) as temporary:
        FigureCanvasAgg(figure).print_png(temporary)
    for name, frames in kept.items():
        print_line(f'{name:<10}{len(frames):>4} of {len(keypoints)} frames')


@torch.no_grad()
def trace_frames(
    lifter: Lifter, clip: Clip2D, start: int = 0
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Run a lifter with a pruner on one window of a clip's first person.

    Args:
        lifter (Lifter): Its model has a pruner.
        clip (Clip2D): 2D keypoints.
        start (int): First frame of the window, at the model's frame rate. The clip's
            last frame is repeated after its end.

    Returns:
        tuple[np.ndarray, dict[str, np.ndarray]]: The window's 2D poses, pixels,
        (T, 17, 2), and the frames, from 0 to T - 1, that pruners keep at the place of
        the model's first one: 'clusters' (TPC), 'uniform' (TPS), 'motion' (TPMo) and,
        if the model's is another, 'model'.

    Raises:
        ValueError: If the model keeps all frames, or ``start`` is after the clip's end.
    """
    segment = lifter.prepare(clip)[0]
    times = clip.times_of(segment.frames)
    keypoints = lifter.sample(segment.keypoints, segment.scores, times)
    if not 0 <= start < len(keypoints):
        raise ValueError(f'start must be from 0 to {len(keypoints) - 1}, got {start}')
    frames = np.arange(start, start + lifter.seq_len).clip(max=len(keypoints) - 1)
    window = keypoints[frames]
    inputs, _ = lifter.encode(window[None], dict(w=clip.width, h=clip.height))
    model = lifter.network.model
    if not model.pruners:
        raise ValueError(f'{lifter.name} has no pruner: it keeps all frames')
    pruner, calls = model.pruners[0], []
    hook = pruner.register_forward_hook(
        lambda _, inputs, output: calls.append([*inputs, output])
    )
    try:
        model.extract_feat(torch.from_numpy(inputs))
    finally:
        hook.remove()
    [(features, num_keep, own)] = calls
    kept = {name: kind(num_keep, 0)(features) for name, kind in _PRUNERS.items()}
    if type(pruner) not in _PRUNERS.values():
        kept['model'] = own
    kept = {name: index[0].cpu().numpy() for name, index in kept.items()}
    return window[..., :2], kept


def draw_kept_frames(
    keypoints: np.ndarray, kept: Mapping[str, np.ndarray], fps: float
) -> Figure:
    """Draw nine poses of a window, and below them the frames that each pruner keeps.

    Args:
        keypoints (np.ndarray): 2D poses of the window, pixels, (T, 17, 2).
        kept (Mapping[str, np.ndarray]): Kept frames, 0 to T - 1, by the name of the
            pruner.
        fps (float): Frames per second, for the time axis.
    """
    figure = Figure(figsize=(14, 3 + 0.4 * len(kept)), layout='constrained')
    above, below = figure.subplots(2, 1, height_ratios=[2, 0.5 * len(kept)])
    style = skeleton_style(_H36M.joints, _H36M.parents)
    width = np.nanmax(np.ptp(keypoints, axis=1)[:, 0])
    shown = np.linspace(0, len(keypoints) - 1, _NUM_POSES).round().astype(int)
    for column, pose in enumerate(keypoints[shown]):
        x, y = (pose - np.nanmean(pose, axis=0)).T
        for bone, color in zip(style.bones, style.colors, strict=True):
            ends = [*bone]
            above.plot(x[ends] + column * width, -y[ends], color=color[::-1] / 255)
    above.set_aspect('equal')
    above.axis('off')
    times = [frames / fps for frames in kept.values()]
    below.eventplot(times, colors='#2f6fde', linelengths=0.8)
    below.set_yticks(range(len(kept)), [*kept])
    below.set(xlim=(0, len(keypoints) / fps), xlabel='time, s')
    return figure


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('draw_kept_frames.py', lambda: draw(args))


if __name__ == '__main__':
    sys.exit(main())
