"""Measure how often repairs and guesses of inputs are wrong.

Motion capture has no outliers, at any frame rate, 1.6 times as fast, and with noise in
every frame, which is for filters; ``refine`` leaves it as it is. Virtual cameras give
the keypoints. The limits were chosen on these motions::

    python -m tools.analysis.measure_harm --data-root data/cmu_mocap
"""

import argparse
import logging
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import product
from logging.handlers import BufferingHandler
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation

import mmhot
from mmhot.chain.keypoints.confidence import DropUncertain, find_jumps
from mmhot.cli.errors import print_text, run_tool
from mmhot.datasets.mocap_dataset import read_cameras, read_mocap_clips
from mmhot.datasets.transforms.virtual_camera import floor_offset, project
from mmhot.errors import ArgumentError, align
from mmhot.geometry.outliers import find_outliers
from mmhot.io.readers.frame_numbers import frames_of
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.clips_3d import Clip3D, to_axes
from tools.analysis.motions import FPS

# Standard deviations of the noise along x, y (the depth) and z, meters
_NOISE = {
    'exact': (0.0, 0.0, 0.0),
    '2 cm': (0.02, 0.02, 0.02),
    '20 cm of depth': (0.0, 0.2, 0.0),
}
_RATES = (25.0, 50.0, 100.0, 240.0)  # frames per second
_SPEEDS = (1.0, 1.6)  # relative to the recording
_MIN_FRAMES = 12  # shortest motion
_MIN_MOVE = 0.005  # meters; a frame is moved if a joint is farther from its place
_MIN_DEPTH = 1.0  # meters; nearer people are not in the image
_STRIDE = 4  # guesses get every fourth frame
_MAX_ERROR = 1e-3  # meters; a guess is right if all joints are closer
_ASKS = re.compile(' not? ')  # a line with "no" or "not" asks the user
_SIZE = (1000, 1000)  # width and height of images, pixels
# Function that returns whether a guess is right for a motion, None if it cannot be.
_Guess = Callable[[np.ndarray], bool | None]
_Change = Callable[[np.ndarray], np.ndarray]
_Size = tuple[int, int]
_View = Callable[[np.ndarray, np.random.Generator], tuple[np.ndarray, _Size] | None]
_Conversion = Callable[[np.ndarray, _Size], np.ndarray]
# Sizes of images of random cameras.
_SIZES = (
    *((1920, 1080), (1280, 720), (640, 480)),
    *((1080, 1920), (1000, 1000), (720, 1280)),
)
_MIN_JOINT_DEPTH = 0.3  # meters
_PIXEL_NOISE = 0.008  # standard deviation, as a share of the person's size
_BODY = get_skeleton('h36m-17')
_ARMS = [
    _BODY.indices(f'{x}_{y}' for y in ('shoulder', 'elbow', 'wrist'))
    for x in ('left', 'right')
]
_ARM = 0.28  # meters; raised upper arm, and forearm
_BAR = 2.3  # meters; height of a bar to hang on
_THICKNESS = 0.08  # meters; height of the lowest joint of people who lie
# Columns and signs of z-up axes that lay people down, their heads to y, -y, x and -x.
_SIDES = (
    ([0, 2, 1], (1, 1, -1)),
    ([0, 2, 1], (1, -1, 1)),
    ([2, 0, 1], (1, 1, 1)),
    ([2, 1, 0], (-1, 1, 1)),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        '--data-root', type=Path, default='data/cmu_mocap', help='motion capture'
    )


def main(args: argparse.Namespace) -> None:
    """Print outliers, frames that are moved by 5 mm, and guesses."""
    motions = [
        motion
        for path in sorted(args.data_root.glob('cmu_*.npz'))
        for motion in read_mocap_clips(path).values()
    ]
    cameras = read_cameras(args.data_root / 'virtual_cameras.json')
    lines = [['frames/s', 'speed', 'frames', *_NOISE, '2D', 'refine']]
    for fps, speed in product(_RATES, _SPEEDS):
        frames = 0
        found = Counter[str]()
        for places, seconds in resampled(motions, fps, speed):
            frames += len(places)
            camera = cameras[frames % len(cameras)]
            found.update(count_repairs(places, seconds, fps, camera, seed=frames))
        counts = [str(found[kind]) for kind in lines[0][3:]]
        lines.append([f'{fps:g}', f'{speed:g}', f'{frames:,}', *counts])
    print_text(align(lines, left=0))
    print_text(align(count_guesses(motions), left=1))


def count_repairs(
    places: np.ndarray, seconds: np.ndarray, fps: float, camera: dict, seed: int
) -> dict[str, int]:
    """Count the frames of a motion that are repaired, though they have no error.

    Args:
        places (np.ndarray): The motion, meters, z up, (T, 17, 3).
        seconds (np.ndarray): Its times, (T,).
        fps (float): Frames per second.
        camera (dict): Camera of the keypoints.
        seed (int): Seed of the noise.

    Returns:
        dict[str, int]: Outliers by noise, jumps of keypoints, and frames that
        ``refine`` moves.
    """
    found = {}
    for kind, size in _NOISE.items():
        points = places + np.random.default_rng(seed).normal(0, size, places.shape)
        points[:, 1:] -= points[:, :1]
        found[kind] = int(find_outliers(points, seconds).sum())
    pixels, in_camera = project(places + floor_offset(places), camera)
    pixels[in_camera[..., 2].min(1) < _MIN_DEPTH] = np.nan
    jumps = find_jumps(pixels, _BODY, seconds, DropUncertain.jumps)
    found['2D'] = int(jumps.sum())
    given = Clip3D.from_arrays(places, fps, axes='world')
    moves = mmhot.refine(given, static_camera=True).places() - places
    is_moved = np.linalg.norm(moves, axis=-1).max(1) > _MIN_MOVE
    found['refine'] = int(is_moved.sum())
    return found


def resampled(
    motions: list[np.ndarray], fps: float, speed: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield motions (T, 17, 3), faster and at a frame rate, and their seconds (T,)."""
    for motion in motions:
        times = np.arange(len(motion))
        places = CubicSpline(times, motion)(np.arange(0, times[-1], FPS * speed / fps))
        if len(places) >= _MIN_FRAMES:
            yield places, np.arange(len(places)) / fps


def count_guesses(motions: list[np.ndarray]) -> list[list[str]]:
    """Count the guesses that are right, ask the user, or are wrong.

    Args:
        motions (list[np.ndarray]): Motions, (T, 17, 3) each.

    Returns:
        list[list[str]]: The header, and a row for each kind of guess.
    """
    lines = [['guess', 'inputs', 'right', 'asked', 'wrong']]
    for title, is_right in _GUESSES.items():
        answers = [_answer(is_right, motion) for motion in motions]
        count = Counter(answer for answer in answers if answer)
        numbers = count.total(), *(count[answer] for answer in lines[0][2:])
        lines.append([title, *map(str, numbers)])
    return lines


def _answer(is_right: _Guess, motion: np.ndarray) -> str | None:
    """Return the outcome of a guess for a motion (T, 17, 3); None if it has none."""
    with _messages() as said:
        try:
            found = is_right(motion[::_STRIDE].astype(float))
        except ArgumentError:
            return 'asked'
    if found is None:
        return None
    if any(_ASKS.search(record.getMessage()) for record in said):
        return 'asked'
    return 'right' if found else 'wrong'


@contextmanager
def _messages() -> Iterator[list[logging.LogRecord]]:
    """Yield the list of the lines that mmhot logs in a block, and do not show them."""
    logger = logging.getLogger('mmhot')
    said = BufferingHandler(sys.maxsize)
    logger.addHandler(said)
    logger.propagate = False
    try:
        yield said.buffer
    finally:
        logger.removeHandler(said)


def _reads_poses(lay: _Change, form: _Change, motion: np.ndarray) -> bool:
    """Return whether the axes of poses (T, 17, 3) in a form are guessed."""
    world = lay(motion)
    poses = to_axes(Clip3D.from_arrays(form(world), FPS), 'z-up').keypoints_3d
    return bool(np.abs(poses - _centered(world)).max() < _MAX_ERROR)


def _reads_translations(joints: float, roots: float, world: np.ndarray) -> bool:
    """Return whether the unit of roots of a motion (T, 17, 3) is guessed.

    Joints and roots are multiplied by factors first.
    """
    clip = Clip3D.from_arrays(
        joints * _centered(world),
        FPS / _STRIDE,
        root_3d=roots * world[:, 0],
        axes='world',
    )
    return bool(np.abs(clip.root_3d - world[:, 0]).max() < _MAX_ERROR)


def _reads_order(world: np.ndarray) -> bool:
    """Return whether the order of keypoints (T, 17, 2) is found to be Human3.6M's."""
    pixels = 500 + 200 * _centered(_in_camera(world))[..., :2]
    return Clip2D.from_arrays(pixels, _SIZE, FPS).skeleton == _BODY.name


def _asks_for_pixels(
    view: _View, change: _Conversion, world: np.ndarray
) -> bool | None:
    """Return whether changed keypoints of a view are refused or lead to a line.

    The result is None if no camera shows the motion (T, 17, 3).
    """
    rng = np.random.default_rng(len(world))
    projected = view(world, rng)
    if projected is None:
        return None
    pixels, size = projected
    noise = _PIXEL_NOISE * np.ptp(pixels, 1).max()
    keypoints = change(pixels + rng.normal(0, noise, pixels.shape), size)
    with _messages() as said:
        try:
            Clip2D.from_arrays(keypoints, size, FPS / _STRIDE, skeleton=_BODY.name)
        except ValueError:
            return True
    return bool(said)


def _says_nothing(view: _View, world: np.ndarray) -> bool | None:
    """Return whether a view of a motion (T, 17, 3) leads to no line, or None."""
    asks = _asks_for_pixels(view, lambda pixels, size: pixels, world)
    return None if asks is None else not asks


def _project(
    world: np.ndarray,
    rng: np.random.Generator,
    distances: tuple[float, float] = (3, 20),
    share: tuple[float, float] = (0.98, 1),
) -> tuple[np.ndarray, _Size] | None:
    """Return pixels (T, 17, 2), and the size of an image that has a share of them.

    Cameras are 1 to 3 m high at random distances in meters, and look down by -5 to 25
    degrees.
    """
    world = world - np.median(world[:, :1], axis=0) * (1, 1, 0)
    for _ in range(200):
        size = _SIZES[rng.integers(len(_SIZES))]
        focal = rng.uniform(0.8, 1.4) * max(size)
        around = Rotation.from_euler('z', rng.uniform(0, 360), degrees=True)
        look = Rotation.from_euler(
            'xy', rng.uniform((85, -25), (115, 25)), degrees=True
        )
        camera = 0, -np.exp(rng.uniform(*np.log(distances))), rng.uniform(1, 3)
        points = look.apply(around.apply(world.reshape(-1, 3)) - camera)
        pixels = focal * points[:, :2] / points[:, 2:] + np.array(size) / 2
        inside = ((pixels > 0) & (pixels < size)).all(-1).mean()
        is_near = points[:, 2].min() <= _MIN_JOINT_DEPTH
        if share[0] <= inside <= share[1] and not is_near:
            return pixels.reshape(*world.shape[:-1], 2), size
    return None


def _project_lying(
    world: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, _Size] | None:
    """Project people (T, 17, 3) who lie on the floor, see :func:`_project`."""
    poses = _lying(world)
    poses = poses - poses[:, :1] + np.median(poses[:, :1], axis=0)
    return _project(poses, rng, (2, 10))


def _reads_names(form: str, world: np.ndarray) -> bool:
    """Return whether frame numbers with gaps are read from names of images.

    There is an image for each pose (T, 17, 3). Some names have random hashes. Times
    begin at any time of a day and are 80 ms apart.
    """
    count = len(world)
    rng = np.random.default_rng(count)
    frames = rng.integers(0, 2000) + np.cumsum(rng.choice([1, 1, 1, 5], count))
    fixed = {'take': rng.integers(100), 'day': rng.integers(20200101, 20261231)}
    times = np.datetime64('2026-11-03', 'ms') + rng.integers(86_000_000) + 80 * frames
    names = [
        form.format(frame, hash=rng.bytes(16).hex(), time=time, **fixed)
        for frame, time in zip(frames, times.tolist(), strict=True)
    ]
    read = frames_of(names, Path('images'))
    return np.array_equal(np.diff(read), np.diff(frames))


def _y_up(world: np.ndarray) -> np.ndarray:
    """Convert from z up to y up, (..., 3)."""
    return world[..., [0, 2, 1]] * (1, 1, -1)


def _in_camera(world: np.ndarray) -> np.ndarray:
    """Convert (T, 17, 3) to the axes of a level camera 5 m away and 1.2 m high."""
    middle = world[len(world) // 2, 0]
    return (world - [middle[0], middle[1] - 5, 1.2])[..., [0, 2, 1]] * (1, -1, 1)


def _lying(world: np.ndarray) -> np.ndarray:
    """Lay people (T, 17, 3) on the floor, their heads to one of four sides."""
    order, signs = _SIDES[len(world) % len(_SIDES)]
    poses = _centered(world)[..., order] * signs + world[:, :1]
    poses[..., 2] += _THICKNESS - poses[..., 2].min(1, keepdims=True)
    return poses


def _hanging(world: np.ndarray) -> np.ndarray:
    """Raise both arms of people (T, 17, 3) to a bar."""
    poses = world.copy()
    for shoulder, elbow, wrist in _ARMS:
        poses[:, elbow] = poses[:, shoulder] + (0, 0, _ARM)
        poses[:, wrist] = poses[:, elbow] + (0, 0, _ARM)
    hands = poses[:, [wrist for *_, wrist in _ARMS]].mean(1, keepdims=True)
    return poses - hands + hands[len(hands) // 2] * (1, 1, 0) + (0, 0, _BAR)


def _centered(poses: np.ndarray) -> np.ndarray:
    """Return poses (T, 17, 3) relative to their hips."""
    return poses - poses[:, :1]


# Changes of motions to inputs in which something must be guessed.
_AXES = {'z-up': np.asarray, 'y-up': _y_up, 'camera': _in_camera}
_FORMS = {
    **{f'axes: positions, {title}': turn for title, turn in _AXES.items()},
    **{
        f'axes: relative to hips, {title}': lambda x, turn=turn: _centered(turn(x))
        for title, turn in _AXES.items()
    },
    'axes: hips pinned, z-up': lambda x: x - x[:, :1] * (1, 1, 0),
    'handedness: right': np.asarray,
    'handedness: left, z-up': lambda x: x * (-1, 1, 1),
    'handedness: left, y-up': lambda x: _y_up(x) * (1, 1, -1),
    'unit: millimeters': lambda x: x * 1000,
    'unit: centimeters': lambda x: x * 100,
}
_NAMES = {
    'number': 'frame_{:06d}.png',
    'several numbers': 'take{take}_{day}_{}.jpg',
    'Roboflow': 'walk_{}_jpg.rf.{hash}.jpg',
    'Label Studio': '{hash:.8}-frame_{:04d}.jpg',
    'date and time': 'cam_{time:%Y-%m-%d_%H-%M-%S-%f}.jpg',
    'time': 'frame_{time:%H%M%S.%f}.png',
    'hash': '{hash}.jpg',
}
# Views with keypoints in pixels of the image, and changes to what is no pixels.
_VIEWS: dict[str, _View] = {
    '3 to 20 m away': _project,
    '12 to 40 m away': partial(_project, distances=(12, 40)),
    'close-ups': partial(_project, distances=(0.8, 3), share=(0.3, 0.8)),
    'at the border': partial(_project, share=(0.4, 0.9)),
    'people who lie': _project_lying,
}
_NO_PIXELS: dict[str, _Conversion] = {
    'percent': lambda pixels, size: 100 * pixels / size,
    'around the middle': lambda pixels, size: pixels - np.array(size) / 2,
    'y before x': lambda pixels, size: pixels[..., ::-1],
}
_GUESSES: dict[str, _Guess] = {
    **{x: partial(_reads_poses, np.asarray, form) for x, form in _FORMS.items()},
    **{
        f'axes: {body.__name__[1:]}, {title}': partial(_reads_poses, body, form)
        for body in (_lying, _hanging)
        for title, form in _AXES.items()
    },
    'translations: in meters': partial(_reads_translations, 1, 1),
    'translations: in centimeters of poses in mm': partial(
        _reads_translations, 1000, 100
    ),
    "2D: Human3.6M's order": _reads_order,
    **{f'pixels: {title}': partial(_says_nothing, x) for title, x in _VIEWS.items()},
    **{
        f'no pixels: {title}': partial(_asks_for_pixels, _project, x)
        for title, x in _NO_PIXELS.items()
    },
    **{f'names: {title}': partial(_reads_names, x) for title, x in _NAMES.items()},
}

if __name__ == '__main__':
    run_tool(add_arguments, main)
