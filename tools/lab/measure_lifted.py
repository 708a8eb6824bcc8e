"""Measure lifted clips: bone lengths, jitter, and errors against ground truth.

Plausible poses have constant bone lengths and little jitter. Clips of one person with
ground truth, such as the rendered clips in ``demo/``, also get errors. Example::

    python -m tools.lab.measure_lifted outputs/demo/walk.npz --ground-truth demo
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import align
from mmhot.clips import Clip3D
from mmhot.io.lifted import read_lifted
from tools.lab.evaluate_chain import jitter, measure
from tools.lab.motions import GroundTruth


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        'clips', nargs='+', type=Path, help='.npz or .json files of mmhot lift'
    )
    parser.add_argument(
        '--ground-truth',
        type=Path,
        metavar='FOLDER',
        help='folder with the ground truth NAME.npz of each clip NAME',
    )
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """Print one line a person, and one of errors a clip."""
    clips = [read_lifted(path) for path in args.clips]
    print_plausibility(clips)
    if args.ground_truth:
        print_errors(clips, args.ground_truth)


def print_errors(clips: list[Clip3D], folder: Path) -> None:
    """Print errors against ground truth."""
    lines = [['clip', 'without a pose', '2D error', 'PCK@0.2', 'MPJPE', 'P-MPJPE']]
    for clip in clips:
        row = measure(clip, GroundTruth.read(folder / f'{clip.name}.npz'))
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


def print_plausibility(clips: list[Clip3D]) -> None:
    """Print variation of bone lengths and jitter of each person."""
    lines = [['clip', 'track', 'frames', 'bone length', 'worst bone', 'jitter']]
    for clip in clips:
        joints = zip(clip.joint_names, clip.parents, strict=True)
        bones = [name for name, parent in joints if parent >= 0]
        for track in np.unique(clip.track):
            rows = clip.track == track
            poses = clip.keypoints_3d[rows].astype(np.float64)
            variation = bone_length_variation(poses, clip.parents)
            try:
                shake = jitter(poses, clip.frame[rows], clip.fps)
            except ValueError:
                shake = 'needs 3 frames'
            else:
                shake = f'{shake:.1f} {clip.unit}/s^2'
            worst = f'{bones[variation.argmax()]} {variation.max():.1%}'
            mean = f'{variation.mean():.1%}'
            lines.append([clip.name, str(track), str(len(poses)), mean, worst, shake])
    print_line(align(lines))


def bone_length_variation(poses: np.ndarray, parents: Sequence[int]) -> np.ndarray:
    """Coefficient of variation of each bone's length.

    Args:
        poses (np.ndarray): One person's poses over time, (T, K, 3).
        parents (Sequence[int]): Parent of each joint, -1 for the root.

    Returns:
        np.ndarray: Standard deviation over mean, in the order of the bones' end joints.
    """
    children = [joint for joint, parent in enumerate(parents) if parent >= 0]
    starts = [parents[joint] for joint in children]
    lengths = np.linalg.norm(poses[:, children] - poses[:, starts], axis=-1)
    return lengths.std(0) / lengths.mean(0)


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('measure_lifted.py', lambda: run(args))


if __name__ == '__main__':
    sys.exit(main())
