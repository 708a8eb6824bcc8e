"""Measure lifted clips: how plausible they are, and how far from the truth.

Plausible people have steady bones and shake little. Where the truth about a clip's one
person is known, as of the rendered clips in ``demo/``, there are errors, too. Example::

    python -m tools.lab.measure_lifted outputs/demo/walk.npz --truth demo
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
    parser.add_argument(
        '--truth',
        type=Path,
        metavar='FOLDER',
        help='where the truth of each clip lies under its name, NAME.npz',
    )
    return parser.parse_args()


def measure(args: argparse.Namespace) -> None:
    """Print one row a person, and one of errors a clip."""
    from mmhot.io.lifted import read_lifted

    clips = [read_lifted(path) for path in args.clips]
    print_plausibility(clips)
    if args.truth:
        print_errors(clips, args.truth)


def print_errors(clips: list, folder: Path) -> None:
    """Print how far clips are from their truth."""
    from mmhot.cli.report import align
    from tools.lab.benchmark.chain import Truth, measure

    lines = [['clip', 'without a pose', '2D error', 'PCK@0.2', 'MPJPE', 'P-MPJPE']]
    for clip in clips:
        row = measure(clip, Truth.read(folder / f'{clip.name}.npz'))
        lines.append(
            [
                clip.name,
                f'{row["missing"]} of {row["frames"]}',
                f'{row["pixels"]:.1f} px',
                f'{row["PCK@0.2"]:.1f} %',
                f'{row["MPJPE"]:.1f} mm',
                f'{row["P-MPJPE"]:.1f} mm',
            ]
        )
    print_line('\n' + align(lines, left=1))


def print_plausibility(clips: list) -> None:
    """Print how people's bones vary and how they shake."""
    from tools.lab.plausibility import bone_length_variation, jitter

    print_line(
        f'{"clip":<28}{"track":>6}{"frames":>8}{"bone length":>13}{"worst bone":>28}'
        f'{"jitter":>16}'
    )
    for clip in clips:
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
