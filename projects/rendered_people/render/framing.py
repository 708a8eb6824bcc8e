"""Framing of rendered people: camera positions, crops and frames of whole images."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from projects.rendered_people.render.people import Person
from projects.rendered_people.render.renderer import Camera

# Probability and spread of views from the front.
_FROM_FRONT, _FRONT_SPREAD = 0.5, np.radians(50)
_TRUNCATED, _FROM_BELOW = 0.42, 0.6
_LOWEST_EYE = 0.1  # meters above the floor
# Probability of a camera at the eyes of a standing person, mean and spread of their
# height in meters.
_AT_EYES, _EYES = 0.6, (1.5, 0.35)
# Minimum probability of steep views of seated people, and of views from the front.
_SEATED_FROM_HIGH, _SEATED_FROM_FRONT = 0.45, 0.3
# Aspect ratios of whole images and their probabilities.
_ASPECT_RATIOS = (
    (16 / 9, 0.35),
    (4 / 3, 0.3),
    (1, 0.1),
    (3 / 4, 0.15),
    (9 / 16, 0.1),
)
NEAREST = 1.2  # meters from the camera in whole images
# Probabilities of cuts above and at each side of close-ups.
_CUT_ABOVE, _CUT_ASIDE = 0.25, 0.3


@dataclass(frozen=True)
class FramingShares:
    """Shares of crops with other framings than the whole body.

    Attributes:
        tables (float): Upper bodies behind a table, counter or steering wheel.
        close (float): Cut between shoulders and thighs.
        steep (float): Nearby, from high above or from the floor, with a wide lens.
    """

    tables: float = 0.0
    close: float = 0.0
    steep: float = 0.0

    def sample(self, rng: np.random.Generator) -> str:
        """Sample a framing; if all shares are 0, no number is drawn."""
        shares = np.cumsum((self.tables, self.close, self.steep))
        if not shares[-1]:
            return 'whole'
        kinds = ('table', 'close', 'steep', 'whole')
        return kinds[np.searchsorted(shares, rng.random(), 'right')]


def look_at(
    person: Person,
    center: np.ndarray,
    distance: float,
    from_above: tuple[float, float, float],
    behind: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Sample rotation and translation of a camera that is aimed at a person.

    Args:
        person (Person): The person.
        center (np.ndarray): Point in the image's center, (3,).
        distance (float): From it, meters.
        from_above (tuple): Probability of views from above, and their range in degrees.
        behind (float): Share of views from behind; if 0, no number is drawn.
        rng (np.random.Generator): Random numbers.
    """
    elevation = rng.normal(np.radians(5), np.radians(11))
    if rng.random() < _AT_EYES:
        height = rng.normal(*_EYES) - center[2]
        elevation = np.arcsin(np.clip(height / distance, -0.5, 0.5))
    share, *steep = from_above
    if person.seated:
        share = max(share, _SEATED_FROM_HIGH)
    if rng.random() < share:
        elevation = rng.uniform(*np.radians(steep))
    lowest = np.arcsin(np.clip((_LOWEST_EYE - center[2]) / distance, -1, 1))
    elevation = max(elevation, lowest)
    azimuth = np.arctan2(person.front[1], person.front[0])
    if behind and rng.random() < behind:
        azimuth += np.pi + rng.normal(0, _FRONT_SPREAD)
    elif rng.random() < (_SEATED_FROM_FRONT if person.seated else _FROM_FRONT):
        azimuth += rng.normal(0, _FRONT_SPREAD)
    else:
        azimuth += rng.uniform(-np.pi, np.pi)
    spread = np.radians(4 if rng.random() < 0.93 else 30)
    towards = direction_of(azimuth, elevation)
    aside = np.cross(-towards, (0, 0, 1.0))
    aside = aside / np.linalg.norm(aside)
    upright = np.stack([aside, np.cross(-towards, aside), -towards])
    roll = Rotation.from_euler('z', rng.normal(0, spread)).as_matrix()
    rotation = roll @ upright
    return rotation, -rotation @ (center + distance * towards)


def whole_image_frame(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Sample a centered frame of a common aspect ratio, x1, y1, x2, y2 pixels."""
    ratios, shares = zip(*_ASPECT_RATIOS, strict=True)
    ratio = rng.choice(ratios, p=shares)
    extent = np.array(size) * (min(ratio, 1), min(1 / ratio, 1))
    middle = np.array(size) / 2
    return np.rint(np.concatenate([middle - extent / 2, middle + extent / 2]))


def position_beside(camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """Sample a position on the ground close to the main person at the origin, (2,)."""
    aside, _, forward = camera.rotation
    sideways = rng.choice((-1, 1)) * rng.uniform(0.2, 1.3)
    behind = rng.uniform(0.2, 2.5) if rng.random() < 0.75 else rng.uniform(-0.8, 0)
    return (sideways * aside + behind * forward)[:2]


def position_in_frame(
    camera: Camera, frame: np.ndarray, distance: float, rng: np.random.Generator
) -> np.ndarray:
    """Sample a position on the ground inside of a frame, (2,)."""
    away = max(distance * np.exp(rng.uniform(np.log(0.5), np.log(3))), NEAREST)
    column = rng.uniform(frame[0], frame[2])
    sideways = (column - camera.intrinsics[2]) / camera.intrinsics[0] * away
    aside, _, forward = camera.rotation
    ahead = forward[:2] / max(np.linalg.norm(forward[:2]), 1e-6)
    return camera.eye[:2] + sideways * aside[:2] + away * ahead


def truncate(
    box: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Sample a frame around a person's box or through it; return visible box and frame.

    All are x1, y1, x2, y2.
    """
    size = box[2:] - box[:2]
    margins = size.max() * rng.uniform(0, 3, 4)
    frame = np.concatenate([box[:2] - margins[:2], box[2:] + margins[2:]])
    if rng.random() < _TRUNCATED:
        if rng.random() < _FROM_BELOW:
            frame[3] = box[1] + size[1] * rng.uniform(0.28, 0.95)
        else:
            side = rng.integers(4)
            lost = size[side % 2] * rng.uniform(0.05, 0.5)
            frame[side] = box[side] + (lost if side < 2 else -lost)
    low, high = np.maximum(box[:2], frame[:2]), np.minimum(box[2:], frame[2:])
    return np.concatenate([low, high]), frame


def crop_close(
    box: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Sample a frame of the upper body, as :func:`truncate`."""
    size = box[2:] - box[:2]
    margins = size.max() * rng.uniform(0, 0.4, 4)
    frame = np.concatenate([box[:2] - margins[:2], box[2:] + margins[2:]])
    frame[3] = box[1] + size[1] * rng.uniform(0.2, 0.55)
    if rng.random() < _CUT_ABOVE:
        frame[1] = box[1] + size[1] * rng.uniform(0, 0.08)
    for side, sign in ((0, 1), (2, -1)):
        if rng.random() < _CUT_ASIDE:
            frame[side] = box[side] + sign * size[0] * rng.uniform(0.05, 0.4)
    return box, frame


def direction_of(azimuth: float, elevation: float) -> np.ndarray:
    """Unit vector of angles in radians, z up, (3,)."""
    level = np.cos(elevation)
    return np.array(
        (level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation))
    )
