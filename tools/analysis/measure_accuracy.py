"""Measure `Lifter(accuracy=)` and `--smooth-3d`: errors of lifted motion capture, time.

Motions of the validation split, at most 400 frames long, with the true and with noisy
2D keypoints and an unknown lens; filters with noisy ones. Example::

    python -m tools.analysis.measure_accuracy --motions 12
"""

import argparse
import sys
import time
from dataclasses import replace

import numpy as np
from scipy.signal import find_peaks

from mmhot.cli.errors import OneLineParser, print_text, run_safely
from mmhot.errors import align
from mmhot.evaluation.pose_errors import mpjpe, p_mpjpe
from mmhot.lifting.lifter import Lifter
from mmhot.motion.smoothing import SMOOTHERS, SmoothPoses
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips import Clip2D, Clip3D
from mmhot.weights.index import ACCURACIES
from tools.analysis.motions import (
    GroundTruth,
    add_lifter_arguments,
    project_motion,
    select_motions,
)
from tools.motion_quality import jitter

_WRISTS = get_skeleton('h36m-17').indices(['left_wrist', 'right_wrist'])
# Speed of a wrist in punches and throws, m/s; seconds around its peak, and between two.
_FAST, _AROUND, _APART = 3.0, 0.1, 0.4


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
    """Print one line for each accuracy, and one for each filter."""
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
    lifted = [(Lifter(args.model, args.checkpoint)(x), truth) for x, truth in noisy]
    print_text('\n' + align(compare_filters(lifted), left=1))


def compare_filters(lifted: list[tuple[Clip3D, GroundTruth]]) -> list[list[str]]:
    """Return rows of the errors of filtered clips, and of the wrists' peak speeds."""
    heads = 'filter', 'noisy MPJPE', 'acceleration error', 'peaks kept'
    rows, unfiltered = [[*heads]], 0.0
    for name in ('none', *SMOOTHERS):
        errors, accelerations, peaks = [], [], 0.0
        for clip, truth in lifted:
            if name != 'none':
                clip = SmoothPoses(smooth_3d=name).smooth(clip)
            poses = clip.keypoints_3d
            errors.append(mpjpe(poses, truth.poses))
            accelerations.append(jitter(poses - truth.poses, clip.frame, clip.fps))
            peaks += wrist_peaks(poses, truth.poses, clip.fps)
        unfiltered = unfiltered or peaks
        error = 1000 * np.concatenate(errors).mean()
        cells = f'{error:.1f} mm', f'{np.mean(accelerations):.2f} m/s^2'
        rows.append([name, *cells, f'{peaks / unfiltered:.1%}'])
    return rows


def wrist_peaks(poses: np.ndarray, truth: np.ndarray, fps: float) -> float:
    """Sum up the wrists' speeds of (T, 17, 3) where the ground truth is fast."""
    speeds, true = (
        fps * np.linalg.norm(np.gradient(x[:, _WRISTS], axis=0), axis=-1)
        for x in (poses, truth)
    )
    reach = round(_AROUND * fps)
    apart = round(_APART * fps)
    return sum(
        speeds[max(peak - reach, 0) : peak + reach + 1, wrist].max()
        for wrist in range(len(_WRISTS))
        for peak in find_peaks(true[:, wrist], height=_FAST, distance=apart)[0]
    )


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
