"""Measure what smoothing keypoints and poses is worth.

Smooths motion capture as 2D detectors see it, and poses that were lifted frame by frame
from that; prints errors, jitter and delay before and after. Example::

    python -m tools.lab.measure_smoothing --motions 12
"""

import argparse
import sys

from mmhot.cli.errors import OneLineParser, print_line, run_safely
from tools.lab.benchmark.motions import add_lifter_arguments


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    add_lifter_arguments(parser)
    parser.add_argument(
        '--motions', type=int, default=12, help='how many are smoothed (default: 12)'
    )
    return parser.parse_args()


def measure(args: argparse.Namespace) -> None:
    """Print both tables."""
    if args.motions < 1:
        raise ValueError(f'--motions must be at least 1, got {args.motions}')
    from mmhot.cli.report import align
    from mmhot.lifting.lifter import Lifter
    from mmhot.video.pipeline import VideoLifter
    from tools.lab.benchmark.chain import lift_alone, pick_motions, see_motion
    from tools.lab.benchmark.smoothing import measure_smoothers

    lifter = Lifter(args.model, args.checkpoint)
    pipeline, pixels, poses, fps = VideoLifter(None, lifter), [], [], 0.0
    motions = pick_motions(args.data_root, args.motions)
    for number, (joints, camera) in enumerate(motions):
        clip, truth = see_motion(joints, camera, number)
        pixels.append((clip.tracks[0].keypoints, truth.pixels))
        lifted = lift_alone(pipeline, clip, max_gap=1.0)
        poses.append((lifted.keypoints_3d, truth.poses))
        fps = clip.fps
    for what, unit, factor, seen in (
        ('keypoints', 'px', 1, pixels),
        ('poses', 'mm', 1000, poses),
    ):
        rows = [[what, f'error, {unit}', f'jitter, {unit}/s^2', 'delay, ms']]
        table = measure_smoothers(seen, fps, in_meters=unit == 'mm')
        for name, row in table.items():
            error, jitter = factor * row['error'], factor * row['jitter']
            rows.append([name, f'{error:.1f}', f'{jitter:.0f}', f'{row["lag"]:.0f}'])
        print_line(align(rows, left=1) + '\n')


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('measure_smoothing.py', lambda: measure(args))


if __name__ == '__main__':
    sys.exit(main())
