"""Backgrounds of scenes: parts and views of panoramas, and their light."""

import cv2
import numpy as np

from projects.rendered_people.pack_scenery import view
from projects.rendered_people.render.framing import direction_of
from projects.rendered_people.render.props import to_linear
from projects.rendered_people.render.renderer import Camera, Light

_SUNNY = 0.7
# Backgrounds: maximum widening of the camera's view, range of focal lengths over the
# image's width; probability, strength and finest size (pixels) of added detail.
_WIDER, _FOCALS = 3.0, (0.35, 2.2)
_DETAILED, _STRENGTH, _FINEST = 0.75, 0.75, 6.0
_BRIGHTEST = 3.0  # times the median
# Range of the enlargement of cutouts, and of their brightness.
_CUTOUTS, _CUTOUT_LIGHT = (1.6, 3.0), (0.15, 0.5)
_GRAY = 0.7  # share of gray in the light of colored backgrounds


class BackgroundSampler:
    """Samples backgrounds.

    Args:
        panoramas (list[np.ndarray]): Linear BGR with a median of 1.
        cutouts (float): Share of backgrounds that are a part of a panorama, enlarged
            little.
    """

    def __init__(self, panoramas: list[np.ndarray], cutouts: float) -> None:
        self.panoramas = [(panorama, *_ambient(panorama)) for panorama in panoramas]
        self.cutouts = cutouts

    def __call__(
        self, camera: Camera, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sample a background (H, W, 3) and the light from above and below, RGB."""
        width, height = camera.size
        if not self.panoramas or rng.random() < 0.15:
            colors = rng.uniform(0.02, 1, (2, 3))
            ramp = np.linspace(0, 1, height)[:, None, None]
            background = (1 - ramp) * colors[0] + ramp * colors[1]
            background = np.broadcast_to(background, (height, width, 3))
            gray = colors.mean(1, keepdims=True)
            above, below = _GRAY * gray + (1 - _GRAY) * colors
            return self._add_detail(background, rng), above, below
        panorama, above, below = self.panoramas[rng.integers(len(self.panoramas))]
        if self.cutouts and rng.random() < self.cutouts:
            # sharp, but without the camera's perspective
            zoom = rng.uniform(*_CUTOUTS)
            piece = _cut_out(panorama, (width, height), zoom, rng)
            return piece[..., ::-1] * rng.uniform(*_CUTOUT_LIGHT), above, below
        image = _render_panorama(camera, panorama, rng)
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
        background = to_linear(image[..., ::-1] / np.float32(255))
        return self._add_detail(background, rng), above, below

    def _add_detail(
        self, background: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Add the fine detail of another panorama, which enlarged panoramas lack.

        Otherwise sharp edges would separate people from the background.
        """
        background = background.astype(np.float32)
        if not self.panoramas or rng.random() >= _DETAILED:
            return background
        height, width = background.shape[:2]
        panorama = self.panoramas[rng.integers(len(self.panoramas))][0]
        zoom = np.exp(rng.uniform(np.log(0.7), np.log(2.0)))
        piece = _cut_out(panorama, (width, height), zoom, rng)
        smooth = cv2.GaussianBlur(piece, (0, 0), _FINEST * zoom)
        ratio = (piece + 0.05) / (smooth + 0.05)
        strength = rng.uniform(0, _STRENGTH)
        return background * ratio[..., ::-1].clip(0.4, 2.5) ** np.float32(strength)


def _render_panorama(
    camera: Camera, panorama: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Render a panorama at half the size, with the camera's horizon."""
    size = np.array(camera.size)
    focal, middle = camera.intrinsics[0], camera.intrinsics[2:]
    wide = np.clip(focal / rng.uniform(1, _WIDER), *np.multiply(_FOCALS, size[0]))
    forward = camera.rotation[2, 2]
    steep = forward / np.sqrt(max(1 - forward**2, 1e-6))
    return view(
        panorama,
        tuple(size // 2),
        fov=2 * np.arctan(size[0] / 2 / wide),
        yaw=rng.uniform(-np.pi, np.pi),
        # keeps the horizon's distance to the optical axis
        pitch=np.arctan(steep * focal / wide),
        exposure=np.exp(rng.normal(0, 0.5)),
        roll=np.arctan2(camera.rotation[0, 2], -camera.rotation[1, 2]),
        center=tuple(middle / 2),
    )


def _cut_out(
    panorama: np.ndarray, size: tuple[int, int], zoom: float, rng: np.random.Generator
) -> np.ndarray:
    """Enlarge a random part of a panorama; lamps and the sun lose their brightness."""
    width, height = size
    shift = rng.integers(panorama.shape[1])
    rows, columns = min(round(height / zoom), len(panorama)), round(width / zoom)
    top = rng.integers(len(panorama) - rows + 1)
    piece = np.roll(panorama[top : top + rows], shift, axis=1)[:, :columns]
    # avoids dark rings around lamps and the sun
    piece = np.minimum(piece, _BRIGHTEST)
    return cv2.resize(piece, size, interpolation=cv2.INTER_LINEAR)


def _ambient(panorama: np.ndarray) -> list[np.ndarray]:
    """Mean light of a panorama's upper and lower half, RGB."""
    half = len(panorama) // 2
    return [
        0.4 * np.minimum(part, 4).mean((0, 1))[::-1]
        for part in (panorama[:half], panorama[half:])
    ]


def sample_light(
    sky: np.ndarray, ground: np.ndarray, rng: np.random.Generator
) -> Light:
    """Sample the sun, with the light from above and below, linear RGB (3,)."""
    elevation = np.arcsin(rng.uniform(0.15, 1))
    azimuth = rng.uniform(-np.pi, np.pi)
    direction = direction_of(azimuth, elevation)
    sun = np.zeros(3)
    if rng.random() < _SUNNY:
        warmth = rng.normal(0, 0.12)
        sun = np.array((1 + warmth, 1.0, 1 - warmth)) * np.exp(rng.normal(0.2, 0.6))
    return Light(direction, sun, np.maximum(sky, 0.05), np.maximum(ground, 0.03))
