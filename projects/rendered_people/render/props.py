"""Primitive shapes, and their materials: procedural fabrics and colors."""

import cv2
import numpy as np
import trimesh

from projects.rendered_people.render.renderer import Surface

_SIZE = 128
_GAMMA = 2.2


def to_linear(srgb: np.ndarray) -> np.ndarray:
    """Convert display values to linear light, both from 0 to 1."""
    return srgb**_GAMMA


def to_srgb(light: np.ndarray) -> np.ndarray:
    """Convert linear light from 0 to 1 to display values, uint8."""
    return np.rint(np.clip(light, 0, 1) ** (1 / _GAMMA) * 255).astype(np.uint8)


def sample_fabrics(
    count: int, panoramas: list[np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """Sample texture tiles, most of them seamless.

    Args:
        count (int): Number of tiles, N.
        panoramas (list[np.ndarray]): BGR uint8; crops become prints.
        rng (np.random.Generator): Random numbers.

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
        tiles.append((to_linear(np.clip(tile, 0.01, 1)) * 255).astype(np.uint8))
    return np.stack(tiles)


def sample_color(rng: np.random.Generator) -> np.ndarray:
    """Sample a color of clothes, RGB display values from 0 to 1."""
    if rng.random() < 0.4:
        return np.full(3, rng.beta(0.8, 0.8)) * rng.uniform(0.93, 1.07, 3)
    hue, saturation, value = rng.random(), rng.beta(1.3, 2.0), rng.beta(1.6, 1.5)
    pixel = np.array([[[hue * 360, saturation, value]]], np.float32)
    return cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0].astype(float)


def _plain(rng: np.random.Generator) -> np.ndarray:
    return np.ones((_SIZE, _SIZE, 1)) * sample_color(rng)


def _denim(rng: np.random.Generator) -> np.ndarray:
    base = np.array((0.25, 0.33, 0.48)) * rng.uniform(0.3, 1.5)
    thread = rng.normal(0, 0.06, (_SIZE, _SIZE, 1))
    worn = cv2.resize(rng.normal(0, 0.1, (4, 4)), (_SIZE, _SIZE))[..., None]
    return base * (1 + thread + worn)


def _waves(rng: np.random.Generator) -> np.ndarray:
    """One to eight bands of random width, (128,) of 0 and 1."""
    repeats = rng.choice((1, 2, 4, 8))
    phase = np.arange(_SIZE) * repeats / _SIZE % 1
    return (phase < rng.uniform(0.1, 0.7)).astype(float)


def _stripes(rng: np.random.Generator) -> np.ndarray:
    band = _waves(rng)[:, None, None]
    tile = band * sample_color(rng) + (1 - band) * sample_color(rng)
    tile = np.broadcast_to(tile, (_SIZE, _SIZE, 3))
    return tile if rng.random() < 0.6 else tile.transpose(1, 0, 2)


def _plaid(rng: np.random.Generator) -> np.ndarray:
    down, across = _waves(rng)[:, None, None], _waves(rng)[None, :, None]
    colors = [sample_color(rng) for _ in range(3)]
    share = rng.uniform(0.3, 0.7)
    tile = colors[0] * (1 - share * down) + colors[1] * share * down
    return tile * (1 - share * across) + colors[2] * share * across


def _dots(rng: np.random.Generator) -> np.ndarray:
    repeats = rng.choice((2, 4, 8))
    phase = np.arange(_SIZE) * repeats / _SIZE % 1 - 0.5
    radius = rng.uniform(0.15, 0.4)
    inside = (phase[:, None] ** 2 + phase**2 < radius**2)[..., None]
    return inside * sample_color(rng) + (1 - inside) * sample_color(rng)


def _blots(rng: np.random.Generator) -> np.ndarray:
    cells = rng.choice((4, 8, 16))
    levels = rng.normal(0, 1, (cells, cells))
    levels = np.pad(levels, ((0, 1), (0, 1)), mode='wrap')
    smooth = cv2.resize(levels, (_SIZE, _SIZE), interpolation=cv2.INTER_CUBIC)
    colors = np.stack([sample_color(rng) for _ in range(4)])
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
    """Letters, disks and polygons on a plain ground."""
    tile = np.ascontiguousarray(_plain(rng) * 255, np.uint8)
    for _ in range(rng.integers(1, 6)):
        color = tuple(int(value * 255) for value in sample_color(rng))
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


def _unit(mesh: trimesh.Trimesh, flat: bool) -> tuple[np.ndarray, ...]:
    """Vertices, normals and triangles; flat faces do not share vertices."""
    if flat:
        corners = np.array(mesh.vertices)[mesh.faces].reshape(-1, 3)
        normals = np.repeat(mesh.face_normals, 3, axis=0)
        return corners, normals, np.arange(len(corners), dtype=np.int32).reshape(-1, 3)
    return np.array(mesh.vertices), np.array(mesh.vertex_normals), np.array(mesh.faces)


_BOX = _unit(trimesh.creation.box(extents=(2, 2, 2)), flat=True)
_SPHERE = _unit(trimesh.creation.icosphere(subdivisions=2), flat=False)
_RING = _unit(trimesh.creation.torus(1, 0.07, 32, 8), flat=False)
_CYLINDER = _unit(trimesh.creation.cylinder(radius=1, height=2, sections=20), flat=True)


def _place(
    unit: tuple[np.ndarray, ...],
    center: np.ndarray,
    turn: np.ndarray,
    half: np.ndarray,
    **material,
) -> Surface:
    vertices, normals, triangles = unit
    rest = vertices * half
    normal = normals / half
    normal = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    position = rest @ turn.T + center
    normals = normal @ turn.T
    return Surface(position, normals, rest, normal, triangles, closed=True, **material)


def place_box(
    center: np.ndarray, turn: np.ndarray, half: np.ndarray, **material
) -> Surface:
    """Place a box.

    Args:
        center (np.ndarray): Meters, (3,).
        turn (np.ndarray): Rotation matrix, (3, 3).
        half (np.ndarray): Half of the lengths of its sides, (3,).
        **material: Arguments of :class:`Surface`.
    """
    return _place(_BOX, center, turn, half, **material)


def place_ellipsoid(
    center: np.ndarray, turn: np.ndarray, half: np.ndarray, **material
) -> Surface:
    """Place an ellipsoid; arguments as those of :func:`place_box`."""
    return _place(_SPHERE, center, turn, half, **material)


def place_cylinder(
    center: np.ndarray, turn: np.ndarray, half: np.ndarray, **material
) -> Surface:
    """Place an upright elliptic cylinder; arguments as those of :func:`place_box`."""
    return _place(_CYLINDER, center, turn, half, **material)


def place_ring(
    center: np.ndarray, turn: np.ndarray, half: np.ndarray, **material
) -> Surface:
    """Place a ring around the z axis; arguments as those of :func:`place_box`."""
    return _place(_RING, center, turn, half, **material)


def sample_material(num_fabrics: int, rng: np.random.Generator, tile: float) -> dict:
    """Sample a fabric or a color."""
    if rng.random() < 0.3:
        return dict(color=to_linear(sample_color(rng)))
    return dict(
        fabric=int(rng.integers(num_fabrics)),
        tile=tile * np.exp(rng.normal(0, 0.6)),
        seed=tuple(rng.uniform(0, 9, 3)),
    )
