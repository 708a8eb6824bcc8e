"""Measure `Lifter(accuracy=)` and `--smooth-3d`: errors of lifted motion capture, time.

Motions of the validation split, at most 400 frames long, with the true and with noisy
2D keypoints and an unknown lens. With noisy ones also joint angles, and filters.

Example::

    python -m tools.analysis.measure_accuracy --motions 12
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.signal import find_peaks

from mmhot.chain.lifting.lifter import Lifter
from mmhot.chain.poses.smoothing import SMOOTHERS, SmoothPoses
from mmhot.cli.errors import print_text, run_tool
from mmhot.errors import align
from mmhot.evaluation.pose_errors import mpjpe, p_mpjpe
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.clips_3d import Clip3D
from mmhot.weights.index import ACCURACIES
from tools.analysis.motions import (
    GroundTruth,
    add_motion_arguments,
    project_motion,
    select_motions,
)
from tools.motion_quality import jitter

_H36M = get_skeleton('h36m-17')
_WRISTS = _H36M.indices(['left_wrist', 'right_wrist'])
# Angles by name: start, joint and end of the two bones that meet in the joint
_ANGLES = {
    'knee': ('hip', 'knee', 'foot'),
    'elbow': ('shoulder', 'elbow', 'wrist'),
    'hip': ('thorax', 'hip', 'knee'),
    'shoulder': ('root', 'shoulder', 'elbow'),
    'trunk': ('root', 'spine', 'thorax'),
}
# A peak of a wrist's speed is a punch or a throw.
_MIN_PEAK_SPEED = 3.0  # m/s
_PEAK_SECONDS = 0.1  # before and after a peak, where the lifted speed may have its own
_MIN_PEAK_GAP = 0.4  # seconds between two peaks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        '--model', help='name of shipped weights or config file (default: as in mmhot)'
    )
    parser.add_argument('--checkpoint', type=Path, help='weights for a config file')
    add_motion_arguments(parser, motions=12)


def main(args: argparse.Namespace) -> None:
    """Print one line for each accuracy, and one for each filter."""
    motions = select_motions(args.data_root, args.motions, args.subjects)
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
    lifter = Lifter(args.model, args.checkpoint)
    lifted = [(lifter(clip), truth) for clip, truth in noisy]
    rows = [['noisy 2D', 'mean'], *compare_angles(lifted)]
    print_text('\n' + align(rows, left=1))
    print_text('\n' + align(compare_filters(lifted), left=1))


def compare_angles(lifted: list[tuple[Clip3D, GroundTruth]]) -> list[list[str]]:
    """Return rows of the mean errors of angles."""
    means = {}
    for kind, names in _ANGLES.items():
        errors = []
        for side in ('left', 'right'):
            joints = _H36M.indices(
                name if name in _H36M.joints else f'{side}_{name}' for name in names
            )
            for clip, truth in lifted:
                error = angle(clip.keypoints_3d, *joints) - angle(truth.poses, *joints)
                errors.append(np.abs(error))
        means[kind] = np.concatenate(errors).mean()
    means['mean of these'] = np.mean([*means.values()])
    return [[f'angle, {name}', f'{error:.1f} deg'] for name, error in means.items()]


def angle(poses: np.ndarray, start: int, joint: int, end: int) -> np.ndarray:
    """Return the angle at a joint of (T, 17, 3) in degrees, (T,)."""
    first = poses[:, start] - poses[:, joint]
    second = poses[:, end] - poses[:, joint]
    lengths = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    return np.degrees(np.arccos(((first * second).sum(-1) / lengths).clip(-1, 1)))


def compare_filters(lifted: list[tuple[Clip3D, GroundTruth]]) -> list[list[str]]:
    """Return rows of the errors of filtered clips, and of the wrists' peak speeds."""
    rows = [['filter', 'noisy MPJPE', 'acceleration error', 'peaks kept']]
    unfiltered = 0.0
    for name in ('none', *SMOOTHERS):
        errors = []
        accelerations = []
        peaks = 0.0
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
    speeds, true_speeds = (
        fps * np.linalg.norm(np.gradient(motion[:, _WRISTS], axis=0), axis=-1)
        for motion in (poses, truth)
    )
    reach = round(_PEAK_SECONDS * fps)
    apart = round(_MIN_PEAK_GAP * fps)
    total = 0.0
    for speed, true_speed in zip(speeds.T, true_speeds.T, strict=True):
        for peak in find_peaks(true_speed, _MIN_PEAK_SPEED, distance=apart)[0]:
            total += speed[max(peak - reach, 0) : peak + reach + 1].max()
    return total


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
    return tuple(
        1000 * np.concatenate([error(*pair) for pair in pairs]).mean()
        for error in (mpjpe, p_mpjpe)
    )


if __name__ == '__main__':
    run_tool(add_arguments, main)
