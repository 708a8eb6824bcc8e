"""Boxes, balls and posts: what people carry, sit on and stand among."""

import numpy as np
import trimesh

from .fabrics import draw_color, to_light
from .renderer import Surface


def _unit(mesh: trimesh.Trimesh, flat: bool) -> tuple[np.ndarray, ...]:
    """Vertices, normals and triangles; flat faces do not share vertices."""
    if flat:
        corners = np.array(mesh.vertices)[mesh.faces].reshape(-1, 3)
        normals = np.repeat(mesh.face_normals, 3, axis=0)
        return corners, normals, np.arange(len(corners), dtype=np.int32).reshape(-1, 3)
    return np.array(mesh.vertices), np.array(mesh.vertex_normals), np.array(mesh.faces)


_BOX = _unit(trimesh.creation.box(extents=(2, 2, 2)), flat=True)
_BALL = _unit(trimesh.creation.icosphere(subdivisions=2), flat=False)
_RING = _unit(trimesh.creation.torus(1, 0.07, 32, 8), flat=False)
_POST = _unit(trimesh.creation.cylinder(radius=1, height=2, sections=20), flat=True)


def _place(
    unit: tuple[np.ndarray, ...],
    center: np.ndarray,
    turn: np.ndarray,
    half: np.ndarray,
    **look,
) -> Surface:
    vertices, normals, triangles = unit
    rest = vertices * half
    normal = normals / half
    normal = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    position = rest @ turn.T + center
    normals = normal @ turn.T
    return Surface(position, normals, rest, normal, triangles, closed=True, **look)


def place_box(
    center: np.ndarray, turn: np.ndarray, half: np.ndarray, **look
) -> Surface:
    """Place a box.

    Args:
        center (np.ndarray): Metres, (3,).
        turn (np.ndarray): Rotation matrix, (3, 3).
        half (np.ndarray): Half of its three sides, (3,).
        **look: Those of :class:`Surface`.
    """
    return _place(_BOX, center, turn, half, **look)


def place_ball(
    center: np.ndarray, turn: np.ndarray, half: np.ndarray, **look
) -> Surface:
    """Place an ellipsoid; arguments as those of :func:`place_box`."""
    return _place(_BALL, center, turn, half, **look)


def place_post(
    center: np.ndarray, turn: np.ndarray, half: np.ndarray, **look
) -> Surface:
    """Place an upright elliptic cylinder; arguments as those of :func:`place_box`."""
    return _place(_POST, center, turn, half, **look)


def place_ring(
    center: np.ndarray, turn: np.ndarray, half: np.ndarray, **look
) -> Surface:
    """Place a ring around the z axis; arguments as those of :func:`place_box`."""
    return _place(_RING, center, turn, half, **look)


def draw_look(num_fabrics: int, rng: np.random.Generator, tile: float) -> dict:
    """Draw what a thing is covered with: a fabric, or a color."""
    if rng.random() < 0.3:
        return dict(color=to_light(draw_color(rng)))
    return dict(
        fabric=int(rng.integers(num_fabrics)),
        tile=tile * np.exp(rng.normal(0, 0.6)),
        seed=tuple(rng.uniform(0, 9, 3)),
    )
