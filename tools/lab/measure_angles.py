"""Measure the joint angles of lifted motions against those of motion capture.

Held-out motions are projected by virtual cameras, get the errors of a 2D detector, and
are lifted as whole clips. Both angles are computed from 17 joints by the definitions
of :mod:`mmhot.skeletons.joint_angles`, the pelvis in the camera's axes. Prints for each
angle the mean absolute error, the same without the mean difference of each motion, and
the correlation in time. Left and right sides count together. Example::

    python -m tools.lab.measure_angles --data-root data/cmu_mocap --motions 20
"""

import argparse
import sys

import numpy as np
from tqdm import tqdm

from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import align
from mmhot.lifting.lifter import Lifter
from mmhot.skeletons.joint_angles import ANGLES, joint_angles
from mmhot.structures.clips import to_axes
from mmhot.video.pipeline import VideoLifter
from tools.lab.motions import add_lifter_arguments, project_motion, select_motions

# Angles that move less than this, degrees, have no correlation.
_STILL = 2.0


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    add_lifter_arguments(parser)
    parser.add_argument(
        '--motions', type=int, default=20, help='number of motions (default: 20)'
    )
    return parser.parse_args()


def measure(args: argparse.Namespace) -> None:
    """Print the table."""
    if args.motions < 1:
        raise ValueError(f'--motions must be at least 1, got {args.motions}')
    pipeline = VideoLifter(None, Lifter(args.model, args.checkpoint))
    errors = []
    motions = select_motions(args.data_root, args.motions)
    for seed, (joints, camera) in enumerate(tqdm(motions, leave=False, disable=None)):
        clip, truth = project_motion(joints, camera, seed)
        lifted = to_axes(pipeline.lift(clip), 'camera').keypoints_3d
        errors.append(compare(lifted, truth.poses))
    table = np.nanmean(errors, axis=0)
    lines = [['angle', 'error, degrees', 'without mean', 'correlation']]
    for name, row in by_kind(table).items():
        lines.append([name, f'{row[0]:.1f}', f'{row[1]:.1f}', f'{row[2]:.2f}'])
    print_line(align(lines))


def compare(lifted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Compare the angles of one motion.

    Args:
        lifted (np.ndarray): Joints in camera axes, (T, 17, 3).
        truth (np.ndarray): The same of the ground truth.

    Returns:
        np.ndarray: Mean absolute error, the same without the mean difference, both in
        degrees, and correlation, NaN for angles that rest, (A, 3).
    """
    # y up and z to the viewer: camera axes turned by half a turn about x
    found, wanted = (joint_angles(each * (1, -1, -1)) for each in (lifted, truth))
    difference = (found - wanted + 180) % 360 - 180
    # of angles around 180 degrees, too
    mean = np.degrees(np.angle(np.exp(1j * np.radians(difference)).mean(0)))
    centered = (difference - mean + 180) % 360 - 180
    moving = (found.std(0) > _STILL) & (wanted.std(0) > _STILL)
    correlation = np.full(len(ANGLES), np.nan)
    for angle in np.flatnonzero(moving):
        correlation[angle] = np.corrcoef(found[:, angle], wanted[:, angle])[0, 1]
    sizes = np.abs(difference).mean(0), np.abs(centered).mean(0)
    return np.stack([*sizes, correlation], axis=1)


def by_kind(table: np.ndarray) -> dict[str, np.ndarray]:
    """Average the rows (A, 3) of both sides; returns rows (3,) by name."""
    rows: dict[str, list[np.ndarray]] = {}
    for name, row in zip(ANGLES, table, strict=True):
        rows.setdefault(name.removesuffix('_r').removesuffix('_l'), []).append(row)
    return {name: np.nanmean(each, axis=0) for name, each in rows.items()}


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('measure_angles.py', lambda: measure(args))


if __name__ == '__main__':
    sys.exit(main())
