"""Measure the repair of left/right swaps in 2D keypoints of motion capture.

Exchanges left and right of arms, legs, forearms, shins and whole people for a while, in
keypoints with the errors of 2D detectors, and prints how many are found. Example::

    python -m tools.lab.measure_swaps --data-root data/cmu_mocap
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

import mmhot
from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import align
from mmhot.datasets.mocap_dataset import read_mocap_clips
from mmhot.datasets.transforms.detector_noise import RandomDetectorNoise
from mmhot.datasets.transforms.virtual_camera import floor_offset, project
from mmhot.evaluation.pose_errors import mpjpe
from mmhot.motion.side_swaps import exchange_sides, find_swaps
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips import Clip2D, Clip3D, Track2D
from tools.lab.motions import GroundTruth, open_motions

_H36M = get_skeleton('h36m-17')
_SWAPPED = {
    'legs': ('hip', 'knee', 'foot'),
    'arms': ('shoulder', 'elbow', 'wrist'),
    'shins': ('knee', 'foot'),
    'forearms': ('elbow', 'wrist'),
    'body': ('hip', 'knee', 'foot', 'shoulder', 'elbow', 'wrist'),
}
_FILES = ('cmu_h36m17.npz', 'cmu_h36m17_more.npz')
# The settings were chosen on all other subjects.
_HELD_OUT = ('S02', 'S08', 'S55', 'S93')
_FPS, _MAX_FRAMES, _MIN_FRAMES, _VIEWS = 50.0, 400, 20, 3
# Share of time in which each kind of swap is drawn, and their least seconds.
_SHARE, _SHORTEST = 0.025, 0.06


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--data-root', type=Path, default='data/cmu_mocap', help='motion capture'
    )
    parser.add_argument(
        '--fps', type=float, nargs='+', default=[50.0, 25.0, 10.0], help='frame rates'
    )
    parser.add_argument(
        '--longest', type=float, nargs='+', default=[0.5, 2.0], help='swaps in seconds'
    )
    parser.add_argument(
        '--tuning', action='store_true', help='the subjects on which settings were set'
    )
    return parser.parse_args()


def measure(args: argparse.Namespace) -> None:
    """Print the table."""
    for option in ('fps', 'longest'):
        if not min(getattr(args, option)) > 0:
            low = min(getattr(args, option))
            raise ValueError(f'--{option} must be above 0, got {low:g}')
    if max(args.fps) > _FPS:
        raise ValueError(f'--fps must be at most {_FPS:g}, got {max(args.fps):g}')
    motions = read_motions(args.data_root, args.tuning)
    lines = [['fps', 'swaps of up to', 'clips', 'swapped', 'undone', 'spoiled']]
    for fps in args.fps:
        for longest in (0.0, *args.longest):
            counts = np.zeros(4, int)
            clips = list(make_tracks(motions, fps, longest))
            for track, truth in clips:
                seconds = track.frames / fps
                counts += compare(find_swaps(track, _H36M.name, seconds), truth)
            undone, swapped, spoiled, right = counts.tolist()
            lines.append(
                [
                    f'{fps:g}',
                    f'{longest:g} s' if longest else 'none',
                    str(len(clips)),
                    f'{swapped / (swapped + right):.1%}',
                    f'{undone / swapped:.1%}' if swapped else '-',
                    f'{spoiled / right:.2%}',
                ]
            )
    print_line(align(lines))


def compare(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Count pairs of joints: undone, swapped, spoiled, right, (4,).

    Args:
        found (np.ndarray): Joints that are exchanged, (T, 17) bool.
        truth (np.ndarray): Joints that were swapped, (T, 17) bool.
    """
    found, truth = found[:, _H36M.left], truth[:, _H36M.left]
    marks = found & truth, truth, found & ~truth, ~truth
    return np.array([mark.sum() for mark in marks])


def read_motions(folder: Path, tuning: bool) -> list[tuple[np.ndarray, dict]]:
    """Read motions, at 50 fps in meters, each with several cameras."""
    cameras = [clip.constants['camera_param'] for clip in open_motions(folder).clips]
    clips = {}
    for name in _FILES:
        clips |= read_mocap_clips(folder / name)
    keys = sorted(key for key in clips if (key.split('/')[0] in _HELD_OUT) != tuning)
    pairs = [(key, view) for key in keys for view in range(_VIEWS)]
    return [
        (clips[key][:_MAX_FRAMES], cameras[index % len(cameras)])
        for index, (key, _) in enumerate(pairs)
    ]


def make_tracks(
    motions: list[tuple[np.ndarray, dict]], fps: float, longest: float
) -> Iterator[tuple[Track2D, np.ndarray]]:
    """Yield noisy keypoints with swaps, and which joints are swapped, (T, 17) bool."""
    noise = RandomDetectorNoise(seed=0, swap_legs=0, swap_arms=0)
    for seed, (joints, camera) in enumerate(motions):
        rows = np.arange(0, len(joints) - 1, _FPS / fps).round().astype(int)
        if len(rows) < _MIN_FRAMES:
            continue
        pixels, _ = project(joints[rows] + floor_offset(joints[rows]), camera)
        noisy = noise.transform(dict(keypoints=pixels, id=seed))
        points, scores = noisy['keypoints'], noisy['keypoints_visible']
        swapped = draw_swaps(np.random.default_rng(seed), len(rows), fps, longest)
        track = Track2D(0, np.arange(len(rows)), points, scores)
        yield exchange_sides(track, _H36M.name, swapped), swapped


def measure_repair(lifted: Clip3D, truth: GroundTruth, draws: int) -> dict[str, float]:
    """Swap detections of a rendered clip at random, and lift with and without repair.

    Args:
        lifted (Clip3D): Human3.6M's 17 joints of one person.
        truth (GroundTruth): Of all its frames.
        draws (int): Number of copies of the clip with swaps of up to half a second.

    Returns:
        dict[str, float]: In percent: pairs of joints ``swapped``, of those ``undone``,
        and of the others ``spoiled``. MPJPE in mm: ``right`` without swaps,
        ``as swapped`` and ``repaired``.
    """
    detected = Track2D(0, lifted.frame, lifted.keypoints_2d, lifted.scores)
    size, counts, tracks = (lifted.width, lifted.height), np.zeros(4, int), [detected]
    for draw in range(1, draws + 1):
        rng = np.random.default_rng(draw)
        swapped = draw_swaps(rng, len(lifted), lifted.fps, 0.5)
        track = exchange_sides(replace(detected, track=draw), _H36M.name, swapped)
        found = find_swaps(track, _H36M.name, track.frames / lifted.fps)
        counts += compare(found, swapped)
        tracks.append(track)
    undone, swapped, spoiled, right = counts.tolist()
    clip = Clip2D(lifted.name, _H36M.name, tracks, *size, lifted.fps)
    row = {
        'swapped': 100 * swapped / (swapped + right),
        'undone': 100 * undone / swapped,
        'spoiled': 100 * spoiled / right,
    }
    for name, repair in {'as swapped': False, 'repaired': True}.items():
        again = mmhot.lift(clip, swap_repair=repair, intrinsics=truth.lens)
        errors = 1000 * mpjpe(again.keypoints_3d, truth.poses[again.frame])
        row['right'] = float(errors[again.track == 0].mean())
        row[name] = float(errors[again.track > 0].mean())
    return row


def draw_swaps(
    rng: np.random.Generator, num_frames: int, fps: float, longest: float
) -> np.ndarray:
    """Draw the joints that are swapped, (T, 17) bool."""
    swapped = np.zeros((num_frames, _H36M.num_keypoints), bool)
    rate = 2 * _SHARE / (_SHORTEST + longest) / fps
    for parts in _SWAPPED.values() if longest else ():
        names = [f'{side}_{part}' for side in ('left', 'right') for part in parts]
        joints = _H36M.indices(names)
        for start in np.flatnonzero(rng.random(num_frames) < rate):
            length = max(1, round(rng.uniform(_SHORTEST, longest) * fps))
            # swapped for most of a clip would count as right
            if 2 * length < num_frames:
                swapped[start : start + length, joints] ^= True
    return swapped


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('measure_swaps.py', lambda: measure(args))


if __name__ == '__main__':
    sys.exit(main())
