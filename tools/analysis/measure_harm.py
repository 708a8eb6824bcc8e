"""Measure how often the search for outliers and guesses of 3D poses and 2D are wrong.

Motion capture has none, at any frame rate, 1.6 times as fast, and with noise in every
frame, which is for filters. Keypoints are those of virtual cameras. The limits of
both were chosen on these motions. Example::

    python -m tools.analysis.measure_harm --data-root data/cmu_mocap
"""

import argparse
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline

from mmhot.cli.errors import OneLineParser, print_text, run_tool
from mmhot.datasets.mocap_dataset import read_cameras, read_mocap_clips
from mmhot.datasets.transforms.virtual_camera import floor_offset, project
from mmhot.errors import align
from mmhot.geometry.outliers import find_outliers
from mmhot.keypoints.confidence import DropUncertain, find_jumps
from mmhot.poses.contacts import ANKLES
from mmhot.poses.foot_lock import LockFeet
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips import Clip2D, Clip3D, to_axes
from tools.analysis.motions import FPS
from tools.motion_quality import find_contacts

# Standard deviations in meters along x, y and z, y the depth.
_NOISE = {
    'exact': (0.0, 0.0, 0.0),
    '2 cm': (0.02, 0.02, 0.02),
    '20 cm of depth': (0.0, 0.2, 0.0),
}
_CAMERAS = 'virtual_cameras.json'
_RATES, _SPEEDS = (25.0, 50.0, 100.0, 240.0), (1.0, 1.6)
_SHORTEST = 12  # frames
_MOVED = 0.005  # meters from which an ankle is displaced
_NEAREST = 1.0  # depth, meters: nearer people are not in the image
_STRIDE, _SAME = 4, 1e-3  # frames and meters of guesses
_SIZE = 1000, 1000  # of images, pixels
_BODY = get_skeleton('h36m-17')
_NECK = _BODY.index('neck_base')
_OTHERS = [x for x in range(_BODY.num_keypoints) if x != _NECK]


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__)
    parser.add_argument(
        '--data-root', type=Path, default='data/cmu_mocap', help='motion capture'
    )
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Print the positions that are taken for outliers, by frame rate and speed."""
    motions = [
        motion
        for path in sorted(args.data_root.glob('cmu_*.npz'))
        for motion in read_mocap_clips(path).values()
    ]
    cameras, body = read_cameras(args.data_root / _CAMERAS), get_skeleton('h36m-17')
    lines = [['frames/s', 'speed', 'frames', *_NOISE, '2D', 'feet']]
    for fps in _RATES:
        for speed in _SPEEDS:
            frames, found = 0, dict.fromkeys([*_NOISE, '2D', 'feet'], 0)
            for places, seconds in resampled(motions, fps, speed):
                frames += len(places)
                camera = cameras[frames % len(cameras)]
                pixels, in_camera = project(places + floor_offset(places), camera)
                pixels[in_camera[..., 2].min(1) < _NEAREST] = np.nan
                jumps = find_jumps(pixels, body, seconds, DropUncertain.jumps)
                found['2D'] += int(jumps.sum())
                found['feet'] += count_moved(places, fps)
                for kind, size in _NOISE.items():
                    noise = np.random.default_rng(frames).normal(0, size, places.shape)
                    points = places + noise
                    points[:, 1:] -= points[:, :1]
                    found[kind] += int(find_outliers(points, seconds).sum())
            lines.append(
                [f'{fps:g}', f'{speed:g}', f'{frames:,}', *map(str, found.values())]
            )
    print_text(align(lines, left=0))
    print_text(align(count_guesses(motions), left=1))


def resampled(
    motions: list[np.ndarray], fps: float, speed: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield motions (T, 17, 3), faster and at a frame rate, and their seconds (T,)."""
    for motion in motions:
        times = np.arange(len(motion))
        places = CubicSpline(times, motion)(np.arange(0, times[-1], FPS * speed / fps))
        if len(places) >= _SHORTEST:
            yield places, np.arange(len(places)) / fps


def count_moved(places: np.ndarray, fps: float) -> int:
    """Count moving ankles of a motion (T, 17, 3) that locked feet displace."""
    clip = Clip3D.from_arrays(places, fps, axes='world')
    moved = np.linalg.norm(LockFeet().lock(clip).places() - places, axis=-1)[:, ANKLES]
    return int((moved > _MOVED)[~find_contacts(places[:, ANKLES], fps)].sum())


def count_guesses(motions: list[np.ndarray]) -> list[list[str]]:
    """Return a table: how many guesses of each kind are right, ask, or are wrong."""
    lines = [['guess', 'inputs', 'right', 'asked', 'wrong']]
    counts: dict[str, Counter[str]] = {title: Counter() for title, *_ in _GUESSES}
    logger, asked = logging.getLogger('mmhot'), _Messages()
    logger.addHandler(asked)
    logger.propagate = False
    for motion in motions:
        world = motion[::_STRIDE].astype(np.float64)
        truth = world - world[:, :1]
        for title, change, joints in _GUESSES:
            asked.messages.clear()
            is_right = _is_right(change(world), truth[:, joints], joints)
            is_asked = any(' not ' in message for message in asked.messages)
            answer = 'asked' if is_asked else 'right' if is_right else 'wrong'
            counts[title][answer] += 1
    for title, count in counts.items():
        numbers = [count.total(), *(count[x] for x in lines[0][2:])]
        lines.append([title, *map(str, numbers)])
    return lines


def _is_right(points: np.ndarray, truth: np.ndarray, joints: list[int]) -> bool:
    """Return whether pixels are read in Human3.6M's order, or poses as they are."""
    if points.shape[-1] == 2:
        clip = Clip2D.from_arrays(points, _SIZE, FPS)
        return clip.skeleton == _BODY.name
    poses = to_axes(Clip3D.from_arrays(points, FPS), 'z-up').keypoints_3d
    return bool(np.abs(poses[:, joints] - truth).max() < _SAME)


class _Messages(logging.Handler):
    """Keeps the messages of warnings."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def _y_up(world: np.ndarray) -> np.ndarray:
    return world[..., [0, 2, 1]] * (1, 1, -1)


def _in_camera(world: np.ndarray) -> np.ndarray:
    """Convert to the axes of a level camera 5 m away and 1.2 m high."""
    middle = world[len(world) // 2, 0]
    return (world - [middle[0], middle[1] - 5, 1.2])[..., [0, 2, 1]] * (1, -1, 1)


def _pinned(world: np.ndarray) -> np.ndarray:
    return world - world[:, :1] * (1, 1, 0)


def _pixels(world: np.ndarray) -> np.ndarray:
    return 500 + 200 * _centered(_in_camera(world))[..., :2]


def _centered(poses: np.ndarray) -> np.ndarray:
    return poses - poses[:, :1]


# Guess, the input in which it is made, and the joints that it may change.
_GUESSES: list[tuple[str, Callable[[np.ndarray], np.ndarray], list[int]]] = [
    *(
        (f'axes: {where}, {title}', lambda x, f=form, g=turn: f(g(x)), _OTHERS)
        for where, form in (('positions', np.asarray), ('relative to hips', _centered))
        for title, turn in (
            ('z-up', np.asarray),
            ('y-up', _y_up),
            ('camera', _in_camera),
        )
    ),
    ('axes: hips pinned, z-up', _pinned, _OTHERS),
    ('handedness: right', np.asarray, _OTHERS),
    ('handedness: left, z-up', lambda x: x * (-1, 1, 1), _OTHERS),
    ('handedness: left, y-up', lambda x: _y_up(x) * (1, 1, -1), _OTHERS),
    ('unit: millimeters', lambda x: x * 1000, _OTHERS),
    ('unit: centimeters', lambda x: x * 100, _OTHERS),
    ('neck as joint 9', np.asarray, [_NECK]),
    ("2D: Human3.6M's order", _pixels, _OTHERS),
]

if __name__ == '__main__':
    run_tool(parse_args, main)
