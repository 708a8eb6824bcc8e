"""Toes and heels of motion capture, which has none: simulated, noisy, compared.

Soles lie flat below standing ankles, and keep their direction; afterwards toes stay on
the floor while heels rise.
"""

import numpy as np
from scipy.interpolate import interp1d
from scipy.ndimage import gaussian_filter1d, label, median

from mmhot.chain.poses.contacts import ANKLES
from mmhot.chain.poses.extremities import SKELETON
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.clips_3d import Clip3D
from tools.analysis.motions import FPS
from tools.motion_quality import find_contacts, foot_slide, jitter

_BODY, _HALPE = get_skeleton('h36m-17'), get_skeleton('halpe-26')
NAMES = ('right_big_toe', 'left_big_toe', 'right_heel', 'left_heel')
"""Order of the simulated points; ankles and contacts have the right one first, too."""
# Toe and heel from the ankle, forward and up, and their height on the floor, meters.
_TOE, _HEEL, _LOW = (0.18, -0.06), (-0.05, -0.055), 0.02
# Seconds that a toe stays on the floor after its ankle stood, and of the change from
# floor to air; pitch of feet in the air against their shins, and steepest, radians.
_PUSH, _CHANGE, _POINTED, _STEEP = 0.12, 0.08, np.radians(10), np.radians(60)
# Standard deviations of 2D toes and heels, slow and from frame to frame, in pixels at a
# person of 370 pixels, about those of the shipped model in the rendered clips; frames
# between the times at which the slow ones are drawn.
_SLOW, _FAST, _HEIGHT, _INTERVAL = 5.0, 2.0, 370, 9


def slow_errors(rng, size: float, count: int) -> np.ndarray:
    """Return errors of a lifter, joints and root, that drift slowly, (T, 18, 3)."""
    keys = rng.normal(0, size, (12, 18, 3))
    return interp1d(np.arange(12), keys, axis=0)(np.linspace(0, 11, count))


def simulate_feet(world: np.ndarray, fps: float) -> np.ndarray:
    """Add toes and heels to a motion (T, 17, 3) in meters on a floor, z up.

    Points (T, 4, 3) are in the order of :data:`NAMES`.
    """
    joints = dict(zip(_BODY.joints, world.swapaxes(0, 1), strict=True))
    across = joints['left_hip'] - joints['right_hip']
    ahead = np.unwrap(np.arctan2(-across[:, 0], across[:, 1]))
    contacts = find_contacts(world[:, ANKLES], fps)
    points = {}
    for side, stands in zip(('right', 'left'), contacts.T, strict=True):
        ankle = joints[f'{side}_foot']
        shin = joints[f'{side}_knee'] - ankle
        yaw = _hold(ahead, stands)
        forward = np.stack([np.cos(yaw), np.sin(yaw), np.zeros_like(yaw)], -1)
        # angles of the line to the toe below the horizon: on the floor, in the air
        level = np.arctan2(-_TOE[1], _TOE[0])
        sine = (ankle[:, 2] - _LOW) / np.hypot(*_TOE)
        floor = np.arcsin(sine.clip(0, np.sin(_STEEP)))
        lean = np.arctan2((shin * forward).sum(-1), shin[:, 2]).clip(-_STEEP, _STEEP)
        air = (level + lean + _POINTED).clip(0, floor)
        down = _lie(stands, fps)
        pitch = down * floor + (1 - down) * air - level
        for name, (toward, up) in (('big_toe', _TOE), ('heel', _HEEL)):
            flat = toward * np.cos(pitch) + up * np.sin(pitch)
            height = up * np.cos(pitch) - toward * np.sin(pitch)
            offset = flat[:, None] * forward + height[:, None] * np.eye(3)[2]
            points[f'{side}_{name}'] = ankle + offset
    return np.stack([points[name] for name in NAMES], 1)


def _hold(angle: np.ndarray, stands: np.ndarray) -> np.ndarray:
    """Keep an angle (T,) constant in each contact."""
    groups, count = label(stands)
    if not count:
        return angle
    means = median(angle, groups, range(1, count + 1))
    rows = np.flatnonzero(stands)
    change = means[groups[rows] - 1] - angle[rows]
    return angle + np.interp(np.arange(len(angle)), rows, change)


def _lie(stands: np.ndarray, fps: float) -> np.ndarray:
    """Return how much a sole lies on the floor, (T,), from 0 to 1."""
    down = stands.copy()
    for _ in range(round(_PUSH * fps)):
        down[1:] |= down[:-1]
    soft = gaussian_filter1d(down.astype(float), _CHANGE * fps, mode='nearest')
    return np.maximum(stands, soft)


def add_noise(
    pixels: np.ndarray, heights: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Add a 2D detector's errors to points (T, P, 2) of people (T,) pixels high."""
    times = np.arange(0, len(pixels) + _INTERVAL, _INTERVAL)
    slow = rng.normal(0, _SLOW, (len(times), *pixels.shape[1:]))
    slow = interp1d(times, slow, axis=0)(np.arange(len(pixels)))
    errors = slow + rng.normal(0, _FAST, pixels.shape)
    return pixels + errors * (heights / _HEIGHT)[:, None, None]


def keypoints_of_feet(pixels: np.ndarray, clip: Clip2D) -> Clip2D:
    """Return Halpe's keypoints with toes and heels only, of points (T, 4, 2)."""
    keypoints = np.full((len(pixels), _HALPE.num_keypoints, 2), np.nan)
    keypoints[:, _HALPE.indices(NAMES)] = pixels
    size = clip.width, clip.height
    return Clip2D.from_arrays(keypoints, size, clip.fps, skeleton=_HALPE.name)


def points_of(clip: Clip3D) -> np.ndarray:
    """Return both ankles, and toes and heels, (T, 6, 3)."""
    ankles = [SKELETON.joints[ankle] for ankle in ANKLES]
    places = clip.places().astype(np.float64)
    return places[:, SKELETON.indices([*ankles, *NAMES])]


def compare(
    places: np.ndarray, true: np.ndarray, stands: np.ndarray, rests: np.ndarray
) -> list[float]:
    """Compare points (T, 6, 3), in the order of :func:`points_of`, with true ones.

    ``stands`` and ``rests`` are whether each ankle and each toe stands, (T, 2). Returns
    the slide of ankles, toes, toes at rest and heels in cm/s, the errors of toes and
    heels in cm, and the jitter in m/s^2.
    """
    frames = np.arange(len(places))
    parts = ((0, stands), (2, stands), (2, rests), (4, stands))
    slides = [
        foot_slide(places[:, first : first + 2], when, frames, FPS)
        for first, when in parts
    ]
    around = (slice(0, 2), slice(2, 4), slice(4, 6))
    wrong = places - true
    errors = np.stack([wrong[:, x] - wrong[:, :2] for x in around[1:]])
    errors = np.linalg.norm(errors, axis=-1)
    shake = jitter(places[:, 2:], frames, FPS)
    return [*slides, *(100 * errors.mean((1, 2))), shake]
