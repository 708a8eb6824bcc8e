"""Simulated scenes of people of different sizes on one floor, for ``measure_steps``.

Two to four motions of CMU, of .7 to 1.12 times their size, are 3 to 9 m away from a
camera that is 1.1 to 2.6 m high and looks down by 0 to 22 degrees; keypoints have 2 px
of noise, and the lens is known. In most kinds
of scenes the last person does something else.
"""

from collections.abc import Callable

import numpy as np

import mmhot
from mmhot.chain.poses.sizes import ScalePeople
from mmhot.datasets.transforms.virtual_camera import floor_offset
from mmhot.geometry.rotations import rotation_matrices
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.clips_3d import Clip3D
from mmhot.structures.lens import Lens

_BODY = get_skeleton('h36m-17')
_LENS = Lens((1100.0, 1100.0), (640.0, 360.0), size=(1280, 720))
FRAMES = 60
_FPS = 25.0
_LEGS = [
    _BODY.indices(f'{side}_{joint}' for joint in ('hip', 'knee', 'foot'))
    for side in ('left', 'right')
]
_THIGH = 0.42  # meters; thigh of people who sit
_ANKLE = 0.08  # meters; height of their ankles
_THICKNESS = 0.1  # meters; height of the lowest joint of people who lie


def _seated(places: np.ndarray) -> np.ndarray:
    """Seat people (T, 17, 3) on a chair, with level thighs and upright shins."""
    seated = places.copy()
    for hip, knee, foot in _LEGS:
        shin = np.linalg.norm(places[:, knee] - places[:, foot], axis=-1)
        seated[:, knee] = seated[:, hip] + [0, -_THIGH, 0]
        seated[:, foot] = seated[:, knee] - shin[:, None] * [0, 0, 1]
    feet = [foot for *_, foot in _LEGS]
    return seated + [0, 0, 1] * (_ANKLE - seated[:, feet, 2].min(1))[:, None, None]


def _lying(places: np.ndarray) -> np.ndarray:
    """Lay people (T, 17, 3) on the floor, face up."""
    lying = places[..., [0, 2, 1]] * (1, 1, -1)
    return lying + [0, 0, 1] * (_THICKNESS - lying[..., 2].min(1))[:, None, None]


def _raised(height: Callable[[np.ndarray], np.ndarray]) -> Callable:
    """Return a change of motions (T, 17, 3): a height in meters by time in seconds."""
    rise = height(np.arange(FRAMES) / _FPS)
    return lambda places: places + np.multiply.outer(rise, [0, 0, 1])[:, None]


# Changes of the motion of the last person, or of all
KINDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    'all on the floor': np.asarray,
    'on a stage': _raised(lambda t: 0 * t + 0.6),
    'on a beam': _raised(lambda t: 0 * t + 1.25),
    'on a ladder': _raised(lambda t: 0.4 * t),
    'on stairs': _raised(lambda t: 0.17 * np.floor(2 * t)),
    'on a trampoline': _raised(lambda t: 0.9 * abs(np.sin(3 * t))),
    'jumping': _raised(lambda t: 0.4 * np.sin(6 * t).clip(0)),
    'seated': _seated,
    'lying': _lying,
    'all on trampolines': _raised(lambda t: 0.9 * abs(np.sin(3 * t))),
}


def measure(
    rng: np.random.Generator, bodies: list[np.ndarray], change: Callable, of_all: bool
) -> np.ndarray:
    """Return errors of depths relative to each other without and with sizes, (2,)."""
    chosen = rng.integers(len(bodies), size=rng.integers(2, 5))
    people = [place(rng, bodies[index]) for index in chosen]
    changed = slice(None) if of_all else slice(-1, None)
    people[changed] = map(change, people[changed])
    height, pitch = rng.uniform([1.1, 0], [2.6, np.radians(22)])
    away = rng.uniform(3, 9, len(people))
    right = away * rng.uniform(-0.4, 0.4, len(people))
    places = np.stack([right, away, np.full(len(people), -height)], 1)
    seen = np.stack(people, 1) + places[:, None]
    seen = (seen @ rotation_matrices([pitch, 0, 0]).T)[..., [0, 2, 1]] * (1, -1, 1)
    pixels = _LENS.focal * seen[..., :2] / seen[..., 2:] + _LENS.center
    pixels += rng.normal(0, 2, pixels.shape)
    clip = Clip2D.from_arrays(pixels, _LENS.size, _FPS, skeleton=_BODY.name)
    options = dict(intrinsics=_LENS, static_camera=True, without='sizes,feet')
    before = mmhot.lift(clip, **options)
    true = seen[:, :, 0].swapaxes(0, 1)
    return np.array([depth_error(x, true) for x in (before, ScalePeople()(before))])


def place(rng: np.random.Generator, body: np.ndarray) -> np.ndarray:
    """Return a motion (T, 17, 3) on the floor, of a random size and heading."""
    body = body[:FRAMES] + floor_offset(body)
    body = body - body[:, 0].mean(0) * [1, 1, 0]
    turn = rotation_matrices([0, 0, rng.uniform(0, 2 * np.pi)])
    return rng.uniform(0.7, 1.12) * body @ turn.T


def depth_error(clip: Clip3D, true: np.ndarray) -> float:
    """Return the error of relative depths; true roots (P, T, 3) are in camera axes."""
    depths = [clip.root_3d[clip.track == track, 2] for track in clip.track_ids]
    apart = np.log(np.stack(depths) / true[..., 2])
    return float(abs(apart - apart.mean(0)).mean())
