"""Measure toes, heels and noses of `--joints 24` on packed rendered people.

Prints distances to the ground truth relative to the joints that they hang on. Example::

    python -m tools.lab.measure_extremities data/people/val_00.npz
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import align
from mmhot.io.arrays import load_arrays
from mmhot.motion.extremities import SKELETON, add_extremities
from mmhot.skeletons.joints import convert_keypoints, get_skeleton
from mmhot.structures.clips import Clip2D, Clip3D, Track2D

_BODY, _HALPE = get_skeleton('h36m-17'), get_skeleton('halpe-26')
_WHOLE_BODY = 'coco-wholebody-133'
_FOCAL, _SIZE = 1000.0, 2000
# Order of the ground truth's feet, which are Halpe's last six points.
_FEET = slice(20, 26)
_NOISE = {'exact': (0.0, 0.0), 'noise': (0.015, 0.03)}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    parser.add_argument('people', type=Path, help='.npz with cam3d (N, 23, 3)')
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """Print the table."""
    truth = load_arrays(args.people, ['cam3d'])['cam3d'].astype(np.float64)
    rows = [['', 'toe', '90 %', 'heel', '90 %']]
    for name, (pixels, joints) in _NOISE.items():
        for seen in (True, False):
            errors = measure(truth, pixels, joints, seen)
            label = name if seen else f'{name}, feet not seen'
            cells = [
                f'{100 * value:.1f} cm'
                for part in errors.values()
                for value in (part.mean(), np.percentile(part, 90))
            ]
            rows.append([label, *cells])
    print_line(align(rows, left=1))


def measure(
    truth: np.ndarray, pixel_noise: float, joint_noise: float, seen: bool
) -> dict[str, np.ndarray]:
    """Return the errors in meters of toes and heels, relative to the ankles.

    Args:
        truth (np.ndarray): Body and feet of Halpe in camera axes, meters, (N, 23, 3).
        pixel_noise (float): Of 2D points, in meters at their distance.
        joint_noise (float): Of the lifted joints, in meters.
        seen (bool): Whether the feet have 2D points.
    """
    rng = np.random.default_rng(0)
    points = np.full((len(truth), 26, 3), np.nan)
    points[:, :17] = truth[:, :17]
    points[:, _FEET] = truth[:, 17:]
    body, _, _ = convert_keypoints(
        truth[:, :17], None, 'coco-17', _BODY.name, 'trained'
    )
    for side in ('left', 'right'):  # Human3.6M's ankles are below COCO's
        knee, ankle = (_BODY.index(f'{side}_{x}') for x in ('knee', 'foot'))
        body[:, ankle] = (body[:, ankle] - 0.055 * body[:, knee]) / (1 - 0.055)
    pixels = _project(points, pixel_noise, rng)
    if not seen:
        pixels[:, _FEET] = np.nan
    lifted = body + rng.normal(0, 1, body.shape) * joint_noise
    ones = np.ones(body.shape[:2], np.float32)
    numbers = np.arange(len(truth))
    tracks = [
        Track2D(number, np.zeros(1, int), own[None], np.isfinite(own[None, :, 0]) * 1.0)
        for number, own in enumerate(pixels)
    ]
    clip = Clip3D(
        name='people',
        frame=np.zeros(len(truth), int),
        track=numbers,
        keypoints_3d=lifted - lifted[:, :1],
        keypoint_scores_3d=ones,
        keypoints_2d=_project(body, pixel_noise, rng),
        scores=ones,
        width=_SIZE,
        height=_SIZE,
        fps=25.0,
        joint_names=_BODY.joints,
        parents=_BODY.parents,
        root_3d=lifted[:, 0],
        focal_length=_FOCAL,
    )
    source = Clip2D('people', 'halpe-26', tracks, _SIZE, _SIZE, 25.0)
    found = add_extremities(clip, source).places()
    errors = {'big_toe': [], 'heel': []}
    for side in ('left', 'right'):
        ankle = _BODY.index(f'{side}_foot')
        for part, values in errors.items():
            joint = f'{side}_{part}'
            offset = found[:, SKELETON.index(joint)] - found[:, ankle]
            true = points[:, _HALPE.index(joint)] - body[:, ankle]
            values.append(np.linalg.norm(offset - true, axis=-1))
    return {part: np.concatenate(values) for part, values in errors.items()}


def measure_projected(lifted: Clip3D, labels: np.ndarray) -> dict[str, list[float]]:
    """Compare the added joints of one person with 2D labels of the whole body.

    Args:
        lifted (Clip3D): 24 joints in ``'camera'`` axes, of a known lens.
        labels (np.ndarray): COCO-WholeBody's keypoints of all frames, (T, 133, 2).

    Returns:
        dict[str, list[float]]: For toes, heels, hands and noses: percent that were seen
        in 2D, and mean error across the line of sight in cm, relative to the joints
        that they hang on.
    """
    wanted, _, _ = convert_keypoints(labels, None, _WHOLE_BODY, SKELETON.name)
    wanted = wanted[lifted.frame]
    places = lifted.places()
    # meters of a pixel
    scale = places[..., 2:] / lifted.focal_length
    found = places[..., :2] / scale + np.array([lifted.width, lifted.height]) / 2
    rows: dict[str, list[np.ndarray]] = {}
    shift = found - wanted
    for joint in range(_BODY.num_keypoints, SKELETON.num_keypoints):
        parent = SKELETON.parents[joint]
        errors = (shift[:, joint] - shift[:, parent]) * scale[:, joint]
        seen = lifted.scores[:, joint] > 0
        part = SKELETON.joints[joint].removeprefix('left_').removeprefix('right_')
        row = np.stack([seen, np.linalg.norm(errors, axis=-1)])
        rows.setdefault(part, []).append(row)
    return {
        part: (100 * np.concatenate(each, axis=1).mean(1)).tolist()
        for part, each in rows.items()
    }


def _project(points: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    pixels = points[..., :2] / points[..., 2:] * _FOCAL + _SIZE / 2
    spread = noise * _FOCAL / points[..., 2:]
    return pixels + rng.normal(0, 1, pixels.shape) * spread


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('measure_extremities.py', lambda: run(args))


if __name__ == '__main__':
    sys.exit(main())
