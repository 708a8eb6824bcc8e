"""Measure what `mmhot refine` and `mmhot lift` do to exact motion, which needs nothing.

Motion capture without any error, at several frame rates and 1.6 times as fast. The
search for outliers may find none, and steps may not move joints. Example::

    python -m tools.analysis.measure_harm --data-root data/cmu_mocap
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline

from mmhot.cli.errors import OneLineParser, print_text, run_tool
from mmhot.datasets.mocap_dataset import read_mocap_clips
from mmhot.errors import align
from mmhot.geometry.outliers import find_outliers
from tools.analysis.motions import FPS

_RATES, _SPEEDS = (25.0, 50.0, 100.0, 240.0), (1.0, 1.6)
_SHORTEST = 12  # frames


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__)
    parser.add_argument(
        '--data-root', type=Path, default='data/cmu_mocap', help='motion capture'
    )
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Print one line for each frame rate and speed."""
    motions = [
        motion
        for path in sorted(args.data_root.glob('cmu_*.npz'))
        for motion in read_mocap_clips(path).values()
    ]
    lines = [['frames/s', 'speed', 'frames', 'positions taken for outliers']]
    for fps in _RATES:
        for speed in _SPEEDS:
            frames = found = 0
            for places, seconds in resampled(motions, fps, speed):
                roots = places[:, :1]
                points = np.append(places - roots, roots, axis=1)
                found += int(find_outliers(points, seconds).sum())
                frames += len(places)
            lines.append([f'{fps:g}', f'{speed:g}', f'{frames:,}', str(found)])
    print_text(align(lines, left=0))


def resampled(
    motions: list[np.ndarray], fps: float, speed: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield motions (T, 17, 3), faster and at a frame rate, and their seconds (T,)."""
    for motion in motions:
        times = np.arange(len(motion))
        places = CubicSpline(times, motion)(np.arange(0, times[-1], FPS * speed / fps))
        if len(places) >= _SHORTEST:
            yield places, np.arange(len(places)) / fps


if __name__ == '__main__':
    run_tool(parse_args, main)
