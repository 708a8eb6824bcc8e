"""Measure how plausible lifted clips are: steady bones, little jitter.

Example::

    python tools/measure_lifted.py outputs/demo/skating_2d_coco17.npz
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from mmhot.cli.errors import OneLineParser, print_line, run_safely


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    parser.add_argument('clips', nargs='+', type=Path, help='what mmhot lift wrote')
    return parser.parse_args()


def measure(args: argparse.Namespace) -> None:
    """Print one row a person."""
    from mmhot.evaluation.plausibility import bone_length_variation, jitter
    from mmhot.io.keypoints3d import read_lifted

    print_line(
        f'{"clip":<28}{"track":>6}{"frames":>8}{"bone length":>13}{"worst bone":>28}'
        f'{"jitter":>16}'
    )
    for path in args.clips:
        clip = read_lifted(path)
        ends = [
            name
            for name, parent in zip(clip.joint_names, clip.parents, strict=True)
            if parent >= 0
        ]
        for track in np.unique(clip.track):
            rows = clip.track == track
            poses = clip.keypoints_3d[rows].astype(np.float64)
            variation = bone_length_variation(poses, clip.parents)
            worst = f'{ends[variation.argmax()]} {variation.max():.1%}'
            try:
                shake = jitter(poses, clip.frame[rows], clip.fps)
            except ValueError:
                shake = 'needs 3 frames'
            else:
                shake = f'{shake:.1f} {clip.unit}/s^2'
            print_line(
                f'{clip.name[:27]:<28}{track:>6}{len(poses):>8}'
                f'{variation.mean():>12.1%} {worst:>27} {shake:>15}'
            )


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('measure_lifted.py', lambda: measure(args))


if __name__ == '__main__':
    sys.exit(main())
