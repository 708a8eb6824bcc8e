"""Measure `Lifter(accuracy=)`: errors of lifted motion capture, and time.

Motions of the validation split, at most 400 frames long, with the true and with noisy
2D keypoints and an unknown lens. Example::

    python -m tools.analysis.measure_accuracy --motions 12
"""

import argparse
import sys
import time
from dataclasses import replace

import numpy as np

from mmhot.cli.errors import OneLineParser, print_text, run_safely
from mmhot.errors import align
from mmhot.evaluation.pose_errors import mpjpe, p_mpjpe
from mmhot.lifting.lifter import Lifter
from mmhot.structures.clips import Clip2D
from mmhot.weights.index import ACCURACIES
from tools.analysis.motions import (
    GroundTruth,
    add_lifter_arguments,
    project_motion,
    select_motions,
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__)
    add_lifter_arguments(parser)
    parser.add_argument('--motions', type=int, default=12, help='number of motions')
    parser.add_argument(
        '--subjects', nargs='+', help='such as S85 (default: those of the split val)'
    )
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """Print one line for each accuracy."""
    if args.motions < 1:
        raise ValueError(f'--motions must be at least 1, got {args.motions}')
    motions = select_motions(args.data_root, args.motions, args.subjects or ())
    noisy = [project_motion(*motion, seed) for seed, motion in enumerate(motions)]
    true = [(with_true_keypoints(clip, truth), truth) for clip, truth in noisy]
    heads = 'MPJPE', 'P-MPJPE', 'noisy MPJPE', 'noisy P-MPJPE'
    lines = [['accuracy', *heads, 'CPU time per 1,000 frames']]
    for accuracy in ACCURACIES:
        lifter = Lifter(args.model, args.checkpoint, accuracy=accuracy)
        lifter(true[0][0])  # loads and warms up
        begin = time.process_time()
        errors = [*measure(lifter, true), *measure(lifter, noisy)]
        frames = 2 * sum(len(truth.poses) for _, truth in true)
        seconds = 1000 * (time.process_time() - begin) / frames
        cells = [f'{error:.1f} mm' for error in errors]
        lines.append([accuracy, *cells, f'{seconds:.2f} s'])
    print_text(align(lines, left=1))


def with_true_keypoints(clip: Clip2D, truth: GroundTruth) -> Clip2D:
    """Replace the keypoints of a clip of one person by the ground truth."""
    (track,) = clip.tracks
    scores = np.ones_like(track.scores)
    keypoints = truth.pixels.astype(np.float32)
    return replace(clip, tracks=[replace(track, keypoints=keypoints, scores=scores)])


def measure(
    lifter: Lifter, clips: list[tuple[Clip2D, GroundTruth]]
) -> tuple[float, float]:
    """Return MPJPE and P-MPJPE, means over frames, in millimeters."""
    pairs = [(lifter(clip).keypoints_3d, truth.poses) for clip, truth in clips]
    errors = [(mpjpe(*pair), p_mpjpe(*pair)) for pair in pairs]
    return tuple(
        1000 * np.concatenate(each).mean() for each in zip(*errors, strict=True)
    )


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('measure_accuracy.py', lambda: run(args))


if __name__ == '__main__':
    sys.exit(main())
