"""Measure how often the search for outliers is wrong, of 3D poses and 2D keypoints.

Motion capture has none, at any frame rate, 1.6 times as fast, and with noise in every
frame, which is for filters. Keypoints are those of virtual cameras. The search was
chosen on these motions. Example::

    python -m tools.analysis.measure_harm --data-root data/cmu_mocap
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline

from mmhot.cli.errors import OneLineParser, print_text, run_tool
from mmhot.datasets.mocap_dataset import read_cameras, read_mocap_clips
from mmhot.datasets.transforms.virtual_camera import floor_offset, project
from mmhot.errors import align
from mmhot.geometry.outliers import find_outliers
from mmhot.keypoints.confidence import DropUncertain, find_jumps
from mmhot.skeletons.joints import get_skeleton
from tools.analysis.motions import FPS

# Standard deviations in meters along x, y and z, y the depth.
_NOISE = {
    'exact': (0.0, 0.0, 0.0),
    '2 cm': (0.02, 0.02, 0.02),
    '20 cm of depth': (0.0, 0.2, 0.0),
}
_CAMERAS = 'virtual_cameras.json'
_RATES, _SPEEDS = (25.0, 50.0, 100.0, 240.0), (1.0, 1.6)
_SHORTEST = 12  # frames
_NEAREST = 1.0  # depth, meters: nearer people are not in the image


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__)
    parser.add_argument(
        '--data-root', type=Path, default='data/cmu_mocap', help='motion capture'
    )
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Print the positions that are taken for outliers, by frame rate and speed."""
    motions = [
        motion
        for path in sorted(args.data_root.glob('cmu_*.npz'))
        for motion in read_mocap_clips(path).values()
    ]
    cameras, body = read_cameras(args.data_root / _CAMERAS), get_skeleton('h36m-17')
    lines = [['frames/s', 'speed', 'frames', *_NOISE, '2D']]
    for fps in _RATES:
        for speed in _SPEEDS:
            frames, found = 0, dict.fromkeys([*_NOISE, '2D'], 0)
            for places, seconds in resampled(motions, fps, speed):
                frames += len(places)
                camera = cameras[frames % len(cameras)]
                pixels, in_camera = project(places + floor_offset(places), camera)
                pixels[in_camera[..., 2].min(1) < _NEAREST] = np.nan
                jumps = find_jumps(pixels, body, seconds, DropUncertain.jumps)
                found['2D'] += int(jumps.sum())
                for kind, size in _NOISE.items():
                    noise = np.random.default_rng(frames).normal(0, size, places.shape)
                    points = places + noise
                    points[:, 1:] -= points[:, :1]
                    found[kind] += int(find_outliers(points, seconds).sum())
            lines.append(
                [f'{fps:g}', f'{speed:g}', f'{frames:,}', *map(str, found.values())]
            )
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
