"""Fabrics, and whatever else covers surfaces: tiles drawn by rules."""

import cv2
import numpy as np

_SIZE = 128
_GAMMA = 2.2


def to_light(shown: np.ndarray) -> np.ndarray:
    """Light, linear, of what screens show, both in 0 ... 1."""
    return shown**_GAMMA


def to_screen(light: np.ndarray) -> np.ndarray:
    """What screens show, uint8, of light in 0 ... 1; more is white."""
    return np.rint(np.clip(light, 0, 1) ** (1 / _GAMMA) * 255).astype(np.uint8)


def draw_fabrics(
    count: int, panoramas: list[np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """Draw tiles; most repeat without a seam.

    Args:
        count (int): How many, N.
        panoramas (list[np.ndarray]): BGR uint8, parts of which are prints.
        rng (np.random.Generator): Chance.

    Returns:
        np.ndarray: Linear RGB, uint8 (N, 128, 128, 3).
    """
    kinds = (_plain, _denim, _stripes, _plaid, _dots, _blots, _print, _shapes)
    shares = (0.36, 0.1, 0.12, 0.1, 0.06, 0.08, 0.09, 0.09)
    tiles = []
    for kind in rng.choice(len(kinds), count, p=shares):
        draw = kinds[kind]
        tile = draw(rng, panoramas) if draw is _print else draw(rng)
        tile = tile + rng.normal(0, rng.uniform(0, 0.05), (_SIZE, _SIZE, 1))
        tiles.append((to_light(np.clip(tile, 0.01, 1)) * 255).astype(np.uint8))
    return np.stack(tiles)


def draw_color(rng: np.random.Generator) -> np.ndarray:
    """Draw a color that clothes have, RGB in 0 ... 1 as screens show it."""
    if rng.random() < 0.4:
        return np.full(3, rng.beta(0.8, 0.8)) * rng.uniform(0.93, 1.07, 3)
    hue, saturation, value = rng.random(), rng.beta(1.3, 2.0), rng.beta(1.6, 1.5)
    pixel = np.array([[[hue * 360, saturation, value]]], np.float32)
    return cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0].astype(float)


def _plain(rng: np.random.Generator) -> np.ndarray:
    return np.ones((_SIZE, _SIZE, 1)) * draw_color(rng)


def _denim(rng: np.random.Generator) -> np.ndarray:
    base = np.array((0.25, 0.33, 0.48)) * rng.uniform(0.3, 1.5)
    thread = rng.normal(0, 0.06, (_SIZE, _SIZE, 1))
    worn = cv2.resize(rng.normal(0, 0.1, (4, 4)), (_SIZE, _SIZE))[..., None]
    return base * (1 + thread + worn)


def _waves(rng: np.random.Generator) -> np.ndarray:
    """Bands of one to eight repeats and changing width, (128,) of 0 and 1."""
    repeats = rng.choice((1, 2, 4, 8))
    phase = np.arange(_SIZE) * repeats / _SIZE % 1
    return (phase < rng.uniform(0.1, 0.7)).astype(float)


def _stripes(rng: np.random.Generator) -> np.ndarray:
    band = _waves(rng)[:, None, None]
    tile = band * draw_color(rng) + (1 - band) * draw_color(rng)
    tile = np.broadcast_to(tile, (_SIZE, _SIZE, 3))
    return tile if rng.random() < 0.6 else tile.transpose(1, 0, 2)


def _plaid(rng: np.random.Generator) -> np.ndarray:
    down, across = _waves(rng)[:, None, None], _waves(rng)[None, :, None]
    colors = [draw_color(rng) for _ in range(3)]
    share = rng.uniform(0.3, 0.7)
    tile = colors[0] * (1 - share * down) + colors[1] * share * down
    return tile * (1 - share * across) + colors[2] * share * across


def _dots(rng: np.random.Generator) -> np.ndarray:
    repeats = rng.choice((2, 4, 8))
    phase = np.arange(_SIZE) * repeats / _SIZE % 1 - 0.5
    radius = rng.uniform(0.15, 0.4)
    inside = (phase[:, None] ** 2 + phase**2 < radius**2)[..., None]
    return inside * draw_color(rng) + (1 - inside) * draw_color(rng)


def _blots(rng: np.random.Generator) -> np.ndarray:
    cells = rng.choice((4, 8, 16))
    levels = rng.normal(0, 1, (cells, cells))
    levels = np.pad(levels, ((0, 1), (0, 1)), mode='wrap')
    smooth = cv2.resize(levels, (_SIZE, _SIZE), interpolation=cv2.INTER_CUBIC)
    colors = np.stack([draw_color(rng) for _ in range(4)])
    return colors[np.digitize(smooth, (-0.6, 0.1, 0.8))]


def _print(rng: np.random.Generator, panoramas: list[np.ndarray]) -> np.ndarray:
    if not panoramas:
        return _blots(rng)
    panorama = panoramas[rng.integers(len(panoramas))]
    size = int(rng.integers(24, min(panorama.shape[:2]) // 2))
    y, x = (int(rng.integers(0, limit - size)) for limit in panorama.shape[:2])
    part = cv2.resize(panorama[y : y + size, x : x + size], (_SIZE, _SIZE))
    return part[..., ::-1] / 255.0


def _shapes(rng: np.random.Generator) -> np.ndarray:
    """Signs, letters and badges on a plain ground."""
    tile = np.ascontiguousarray(_plain(rng) * 255, np.uint8)
    for _ in range(rng.integers(1, 6)):
        color = tuple(int(value * 255) for value in draw_color(rng))
        center = tuple(int(value) for value in rng.integers(20, _SIZE - 20, 2))
        kind = rng.integers(3)
        if kind == 0:
            text = ''.join(chr(rng.integers(48, 91)) for _ in range(rng.integers(1, 6)))
            start = (center[0] - 18, center[1])
            cv2.putText(tile, text, start, 0, rng.uniform(0.5, 1.6), color, 2)
        elif kind == 1:
            cv2.circle(tile, center, int(rng.integers(4, 24)), color, -1)
        else:
            corners = np.array(center) + rng.integers(-24, 24, (4, 2))
            cv2.fillPoly(tile, [corners.astype(np.int32)], color)
    return tile / 255.0
