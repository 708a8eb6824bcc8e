"""Measure how fast bones turn in motion capture, and what the step ``turns`` changes.

Example::

    python -m tools.analysis.measure_turns --data-root data/cmu_mocap
"""

import argparse
from dataclasses import asdict
from pathlib import Path

import numpy as np

from mmhot.cli.errors import OneLineParser, print_text, run_tool
from mmhot.datasets.mocap_dataset import read_mocap_clips
from mmhot.errors import align
from mmhot.motion.turns import LimitTurns, TurnLimits
from mmhot.skeletons.joints import get_skeleton, part_of
from mmhot.structures.clips import Clip3D
from tools.analysis.motions import FPS

_H36M = get_skeleton('h36m-17')
_QUANTILES = (0.999, 0.9999, 0.99999)
_STRIDES = (1, 2, 4)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__)
    parser.add_argument(
        '--data-root', type=Path, default='data/cmu_mocap', help='motion capture'
    )
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Print quantiles of speeds, and the share of frames that the step changes."""
    motions = []
    for name in ('cmu_h36m17.npz', 'cmu_h36m17_more.npz'):
        motions += read_mocap_clips(args.data_root / name).values()
    heads = [f'{100 * x:g} %' for x in _QUANTILES]
    lines = [['frames/s', 'limb', *heads, 'limit, deg/s', 'frames changed, %']]
    for stride in _STRIDES:
        fps = FPS / stride
        clips = [
            Clip3D.from_arrays(x[::stride], fps, skeleton='h36m-17', axes='world')
            for x in motions
        ]
        pairs = [(clip, LimitTurns().limit(clip)) for clip in clips]
        for part, limit in asdict(TurnLimits()).items():
            joints = [i for i, x in enumerate(_H36M.joints) if part_of(x) == part]
            speeds = np.concatenate([_speeds(x, joints) for x in clips], axis=None)
            changed = [
                (new.keypoint_scores_3d < old.keypoint_scores_3d)[:, joints].any(1)
                for old, new in pairs
            ]
            share = 100 * float(np.concatenate(changed).mean())
            values = [f'{x:.0f}' for x in (*np.quantile(speeds, _QUANTILES), limit)]
            lines.append([f'{fps:g}', part, *values, f'{share:.4f}'])
    print_text(align(lines, left=2))


def _speeds(clip: Clip3D, joints: list[int]) -> np.ndarray:
    """Return the speeds of the bones to joints in degrees per second, (T - 1, J)."""
    bones = clip.keypoints_3d[:, joints]
    bones = bones - clip.keypoints_3d[:, [_H36M.parents[x] for x in joints]]
    bones /= np.linalg.norm(bones, axis=-1, keepdims=True)
    cosine = (bones[1:] * bones[:-1]).sum(-1).clip(-1, 1)
    return np.degrees(np.arccos(cosine)) * clip.fps


if __name__ == '__main__':
    run_tool(parse_args, main)
