"""Measure joint angles and gait of lifted motion capture against the ground truth.

Motions of the validation split at 25 frames per second, one camera each, with noisy 2D
keypoints, the lens known and the person's height given. Gait is measured on those whose
ground truth walks. Example::

    python -m tools.analysis.measure_biomechanics --motions 40
"""

import argparse
import math
from collections import defaultdict
from dataclasses import replace

import numpy as np

import mmhot
from mmhot.cli.errors import OneLineParser, print_text, run_tool
from mmhot.errors import align
from mmhot.io.writers.angles import clip_angles
from mmhot.io.writers.gait import clip_strides
from mmhot.lifting.world import height_over_ankles, scale_people, to_world
from mmhot.skeletons.joints import ANKLE_HEIGHT
from mmhot.structures.clips_3d import Clip3D
from tools.analysis.motions import add_motion_arguments, project_motion, select_motions

FPS = 25.0
# Contacts of the same foot that are farther apart, in seconds, are different ones.
_SAME = 0.3


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__)
    add_motion_arguments(parser, motions=40)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Print the errors of angles, then of gait."""
    motions = select_motions(args.data_root, args.motions, args.subjects, FPS)
    angles: dict[str, list[np.ndarray]] = defaultdict(list)
    peaks: dict[str, list[float]] = defaultdict(list)
    gait: dict[str, list[float]] = defaultdict(list)
    strides = missed = 0
    for seed, (joints, camera) in enumerate(motions):
        lifted, truth = lift_motion(joints, camera, seed)
        true_angles = clip_angles(truth)
        for name, values in clip_angles(lifted).items():
            error = np.abs((values - true_angles[name] + 180) % 360 - 180)
            part = name.removesuffix('_r').removesuffix('_l')
            angles[part].append(error)
            peaks[part].append(values.max() - true_angles[name].max())
        by_foot = defaultdict(list)
        for _, stride in clip_strides(lifted):
            by_foot[stride.foot].append(stride)
        for _, real in clip_strides(truth):
            near = [
                x for x in by_foot[real.foot] if abs(x.contact - real.contact) < _SAME
            ]
            strides, missed = strides + 1, missed + (not near)
            for stride in near[:1]:
                for name in ('contact', 'lift_off'):
                    late = getattr(stride, name) - getattr(real, name)
                    gait[f'{name}, ms'].append(1000 * late)
                for name in ('step_length', 'stride_length', 'speed'):
                    ratio = getattr(stride, name) / getattr(real, name)
                    gait[f'{name}, %'].append(100 * (ratio - 1))
                wider = stride.step_width - real.step_width
                gait['step_width, cm'].append(100 * wider)
    rows = [['angle', 'mean error, degrees', 'peaks, median', 'lowest', 'highest']]
    for name, errors in angles.items():
        values = np.quantile(peaks[name], (0.5, 0.1, 0.9))
        cells = [f'{np.concatenate(errors).mean():.1f}', *(f'{x:+.1f}' for x in values)]
        rows.append([name, *cells])
    print_text(align(rows, left=1))
    print_text(f'\n{strides} strides, {missed} not found')
    rows = [['gait', 'mean', 'mean error', 'largest']]
    for name, errors in gait.items():
        sizes = np.abs(errors)
        values = f'{np.mean(errors):+.1f}', f'{sizes.mean():.1f}', f'{sizes.max():.1f}'
        rows.append([name, *values])
    print_text(align(rows, left=1))


def lift_motion(joints: np.ndarray, camera: dict, seed: int) -> tuple[Clip3D, Clip3D]:
    """Return the lifted motion (T, 17, 3) and its ground truth, in world axes."""
    clip, truth = project_motion(joints, camera, seed, FPS)
    fov = math.degrees(2 * math.atan(camera['w'] / 2 / camera['f'][0]))
    lifted = mmhot.lift(clip, fov=fov, static_camera=True)
    poses, root = truth.poses[lifted.frame], truth.root[lifted.frame]
    real = replace(lifted, keypoints_3d=poses, root_3d=root, steps=())
    real = to_world(real, static_camera=True)
    height = height_over_ankles(real.keypoints_3d, real.joint_names) + ANKLE_HEIGHT
    return to_world(scale_people(lifted, height), static_camera=True), real


if __name__ == '__main__':
    run_tool(parse_args, main)
