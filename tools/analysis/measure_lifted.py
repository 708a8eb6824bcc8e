"""Measure errors of lifted clips of one person against ground truth.

The rendered clips in ``demo/`` have ground truth. Example::

    python -m tools.analysis.measure_lifted outputs/demo/walk.npz --ground-truth demo
"""

import argparse
from pathlib import Path

import numpy as np

from mmhot.chain.poses.camera import stable_keypoints
from mmhot.chain.poses.contacts import ANKLES, predict_contacts
from mmhot.cli.errors import print_text, run_tool
from mmhot.errors import align
from mmhot.evaluation.pose_errors import mpjpe, p_mpjpe
from mmhot.io.lifted import read_lifted
from mmhot.skeletons.joint_angles import ANGLES, joint_angles
from mmhot.structures.clips_3d import Clip3D
from tools.analysis.motions import GroundTruth, rows_of_person
from tools.motion_quality import foot_slide

_UNITS = {
    'pixels': 'px',
    'MPJPE': 'mm',
    'P-MPJPE': 'mm',
    'root path': 'cm',
    'foot slide': 'cm/s',
    'true slide': 'cm/s',
    'precision': '%',
    'recall': '%',
    'knee peaks': 'degrees',
    'true peaks': 'degrees',
}
_LIMBS = ('_shoulder', '_elbow', '_wrist', '_hip', '_knee', '_foot')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        'clips', nargs='+', type=Path, help='.npz or .json files of mmhot lift'
    )
    parser.add_argument(
        '--ground-truth',
        type=Path,
        required=True,
        metavar='FOLDER',
        help='folder with the ground truth NAME.npz of each clip NAME',
    )


def main(args: argparse.Namespace) -> None:
    """Print the errors of each clip, with '-' for what is not known."""
    heads = ['2D error' if name == 'pixels' else name for name in _UNITS]
    lines = [['clip', 'without a pose', *heads]]
    for path in args.clips:
        clip = read_lifted(path).first_joints(17)
        truth = GroundTruth.read(args.ground_truth / f'{clip.name}.npz')
        row = measure(clip, truth)
        cells = [f'{row[x]:.1f} {_UNITS[x]}' if x in row else '-' for x in _UNITS]
        lines.append([clip.name, f'{row["missing"]} of {row["frames"]}', *cells])
    print_text(align(lines, left=1))


def predicted_contacts(person: Clip3D) -> np.ndarray:
    """Predict which ankles of one person stand, (T, 2) bool."""
    stands = np.zeros((len(person), len(ANKLES)), bool)
    keypoints = stable_keypoints(person)
    for rows in person.stretches():
        seconds = person.seconds(person.frame[rows])
        shares = predict_contacts(keypoints[rows], person.scores[rows], seconds)
        stands[rows] = shares > 0.5
    return stands


def measure(lifted: Clip3D, truth: GroundTruth) -> dict[str, float]:
    """Compare a lifted clip of one person with the ground truth.

    Args:
        lifted (Clip3D): The clip, in ``'camera'`` axes.
        truth (GroundTruth): Ground truth of all its frames.

    Returns:
        dict[str, float]: Number of ``frames``, and of frames ``missing`` a pose of the
        person; mean error in ``pixels`` of shoulders, elbows, wrists, hips, knees and
        ankles; the largest angles of knees, ``knee peaks`` and ``true peaks`` in
        degrees; ``MPJPE`` and ``P-MPJPE`` in mm; if the ground truth has contacts, the
        numbers of :func:`measure_motion`.
    """
    if lifted.axes != 'camera':
        raise ValueError(f"{lifted.name}: axes must be 'camera', got {lifted.axes!r}")
    rows = rows_of_person(lifted, truth.pixels)
    frames = lifted.frame[rows]
    poses = lifted.keypoints_3d[rows]
    target = truth.poses[frames]
    limbs = [name.endswith(_LIMBS) for name in lifted.joint_names]
    offsets = lifted.keypoints_2d[rows] - truth.pixels[frames]
    row = {
        'frames': len(truth.poses),
        'missing': len(truth.poses) - len(rows),
        'pixels': float(np.linalg.norm(offsets[:, limbs], axis=-1).mean()),
        'knee peaks': _knee_peaks(poses),
        'true peaks': _knee_peaks(target),
        'MPJPE': 1000 * float(mpjpe(poses, target).mean()),
        'P-MPJPE': 1000 * float(p_mpjpe(poses, target).mean()),
    }
    if truth.contacts is not None:
        row |= measure_motion(lifted.take(rows), truth)
    return row


def measure_motion(lifted: Clip3D, truth: GroundTruth) -> dict[str, float]:
    """Compare the path and the feet of one person with the ground truth.

    Args:
        lifted (Clip3D): The person's rows in ``'camera'`` axes.
        truth (GroundTruth): With ``root`` and ``contacts``.

    Returns:
        dict[str, float]: In cm: distance of the ``root path`` from the ground truth
        after both have the same mean position. In cm/s: speeds of standing ankles,
        ``foot slide``, and ``true slide`` of the ground truth. ``precision`` and
        ``recall`` of predicted contacts, in percent. Without what is not known.
    """
    frames = lifted.frame
    offset = lifted.root_3d - truth.root[frames]
    path = np.linalg.norm(offset - offset.mean(0), axis=1).mean()
    stands = truth.contacts[frames]
    true = (truth.poses + truth.root[:, None])[frames][:, ANKLES]
    predicted = predicted_contacts(lifted)
    both = 100 * float((predicted & stands).sum())
    row = {
        'root path': 100 * float(path),
        'foot slide': foot_slide(
            lifted.places()[:, ANKLES], stands, frames, lifted.fps
        ),
        'true slide': foot_slide(true, stands, frames, lifted.fps),
        'precision': both / predicted.sum() if predicted.any() else np.nan,
        'recall': both / stands.sum() if stands.any() else np.nan,
    }
    return {name: value for name, value in row.items() if np.isfinite(value)}


def _knee_peaks(poses: np.ndarray) -> float:
    """Return the mean of both knees' largest angles, camera axes (T, 17, 3)."""
    angles = joint_angles(poses * (1, -1, -1))
    knees = [ANGLES.index(f'knee_angle_{side}') for side in 'lr']
    return float(angles[:, knees].max(0).mean())


if __name__ == '__main__':
    run_tool(add_arguments, main)
