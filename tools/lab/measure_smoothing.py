"""Measure the effect of smoothing on keypoints and poses.

Smooths 2D keypoints of motion capture with a detector's noise, and poses lifted from
single frames of them; prints error, jitter and delay of each filter. Example::

    python -m tools.lab.measure_smoothing --motions 12
"""

import argparse
import sys
from collections.abc import Iterable

import numpy as np

from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import align
from mmhot.lifting.lifter import Lifter
from mmhot.video.pipeline import VideoLifter
from mmhot.video.smoothing import SMOOTHERS, smooth_clip
from tools.lab.evaluate_chain import lift_frames_alone
from tools.lab.motions import add_lifter_arguments, project_motion, select_motions

# Delays to search, in frames.
_FIRST, _LAST = -4, 16


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    add_lifter_arguments(parser)
    parser.add_argument(
        '--motions', type=int, default=12, help='number of motions (default: 12)'
    )
    return parser.parse_args()


def measure(args: argparse.Namespace) -> None:
    """Print both tables."""
    if args.motions < 1:
        raise ValueError(f'--motions must be at least 1, got {args.motions}')
    pipeline = VideoLifter(None, Lifter(args.model, args.checkpoint))
    pixels, poses, fps = [], [], 0.0
    motions = select_motions(args.data_root, args.motions)
    for seed, (joints, camera) in enumerate(motions):
        clip, truth = project_motion(joints, camera, seed)
        pixels.append((clip.tracks[0].keypoints, truth.pixels))
        lifted = lift_frames_alone(pipeline, clip, max_gap=1.0)
        poses.append((lifted.keypoints_3d, truth.poses))
        fps = clip.fps
    for what, unit, factor, motions in (
        ('keypoints', 'px', 1, pixels),
        ('poses', 'mm', 1000, poses),
    ):
        lines = [[what, f'error, {unit}', f'jitter, {unit}/s^2', 'delay, ms']]
        table = measure_smoothers(motions, fps, in_meters=unit == 'mm')
        for name, row in table.items():
            error, jitter = factor * row['error'], factor * row['jitter']
            lines.append([name, f'{error:.1f}', f'{jitter:.0f}', f'{row["lag"]:.0f}'])
        print_line(align(lines) + '\n')


def measure_smoothers(
    motions: Iterable[tuple[np.ndarray, np.ndarray]], fps: float, in_meters: bool
) -> dict[str, dict[str, float]]:
    """Smooth motions with every filter.

    Args:
        motions (Iterable): Estimated and true points of each, (T, K, C).
        fps (float): Frames per second.
        in_meters (bool): Whether points are in meters instead of pixels.

    Returns:
        dict[str, dict[str, float]]: For each filter, for ``'none'`` and for
        ``'truth'``: ``error`` (mean distance) and ``jitter`` (mean acceleration) in
        units of the points and seconds, and ``lag`` in milliseconds; means over frames.
    """
    rows: dict[str, list[tuple]] = {}
    weights = []
    for points, truth in motions:
        weights.append(len(points))
        rows.setdefault('truth', []).append((0.0, _jitter(truth, fps), 0.0))
        for name in ('none', *SMOOTHERS):
            smoothed = smooth_clip(points, fps, name, in_meters=in_meters)
            error = np.linalg.norm(smoothed - truth, axis=-1).mean()
            late = 1000 * lag(smoothed, truth, fps)
            rows.setdefault(name, []).append((error, _jitter(smoothed, fps), late))
    means = {
        name: np.average(values, axis=0, weights=weights).tolist()
        for name, values in rows.items()
    }
    keys = ('error', 'jitter', 'lag')
    return {name: dict(zip(keys, row, strict=True)) for name, row in means.items()}


def lag(smoothed: np.ndarray, truth: np.ndarray, fps: float) -> float:
    """Delay of smoothed points against the true ones, seconds.

    Args:
        smoothed (np.ndarray): Smoothed points, (T, ...).
        truth (np.ndarray): True points, (T, ...).
        fps (float): Frames per second.

    Returns:
        float: Shift of least squared distance, between frames by a parabola.
    """
    shifts = np.arange(_FIRST, _LAST + 1)
    inner = slice(_LAST, len(truth) + _FIRST)
    if inner.stop <= inner.start:
        raise ValueError(f'{len(truth)} frames are too few to measure a delay')
    errors = np.array(
        [
            np.square(smoothed[inner] - truth[inner.start - s : inner.stop - s]).mean()
            for s in shifts
        ]
    )
    best = errors.argmin().clip(1, len(shifts) - 2)
    before, at, after = errors[best - 1 : best + 2]
    curve = before - 2 * at + after
    fraction = 0.5 * (before - after) / curve if curve > 0 else 0.0
    return (shifts[best] + fraction) / fps


def _jitter(points: np.ndarray, fps: float) -> float:
    change = np.diff(points, 2, axis=0) * fps**2
    return float(np.linalg.norm(change, axis=-1).mean())


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('measure_smoothing.py', lambda: measure(args))


if __name__ == '__main__':
    sys.exit(main())
