"""Objects that are no people: animals, vehicles, stands, chairs, signs, trees."""

from collections.abc import Callable

import numpy as np
from scipy.spatial.transform import Rotation

from projects.rendered_people.render.props import (
    place_box,
    place_cylinder,
    place_ellipsoid,
    place_ring,
    sample_material,
)
from projects.rendered_people.render.renderer import Surface

# A shape, its center and half of its extents in units of the object's height; the
# rotation to the x axis, optional.
_Part = tuple[Callable, tuple[float, ...], tuple[float, ...], bool]
_LIGHT_PART = 0.4  # probability of a part in the object's second material


def place_object(
    at: np.ndarray, num_fabrics: int, rng: np.random.Generator
) -> list[Surface]:
    """Place an object on the ground at a position (2,) in meters."""
    kinds = (_animal, _car, _bicycle, _stand, _stand, _chair, _sign, _tree)
    parts, (low, high) = kinds[rng.integers(len(kinds))](rng)
    height = np.exp(rng.uniform(np.log(low), np.log(high)))
    turn = Rotation.from_euler('z', rng.uniform(-np.pi, np.pi)).as_matrix()
    across = Rotation.from_euler('x', 90, degrees=True).as_matrix()
    materials = [sample_material(num_fabrics, rng, 0.4) for _ in range(2)]
    surfaces = []
    for place, center, half, is_wheel in parts:
        spot = np.append(at, 0) + turn @ np.multiply(center, height)
        material = materials[int(rng.random() < _LIGHT_PART)]
        own = turn @ across if is_wheel else turn
        surfaces.append(place(spot, own, np.multiply(half, height), **material))
    return surfaces


def _animal(rng: np.random.Generator) -> tuple[list[_Part], tuple[float, float]]:
    """Four legs, trunk, neck and head; its height in meters."""
    thick, neck = rng.uniform(0.12, 0.28), rng.uniform(0.1, 0.35)
    legs = [
        (place_cylinder, (x, y * thick, 0.25), (0.05, 0.05, 0.25), False)
        for x in (-0.4, 0.4)
        for y in (-0.6, 0.6)
    ]
    return [
        *legs,
        (place_ellipsoid, (0, 0, 0.6), (0.55, thick, thick), False),
        (place_ellipsoid, (0.5, 0, 0.65 + neck / 2), (0.12, 0.1, 0.1 + neck), False),
        (place_ellipsoid, (0.62, 0, 0.75 + neck), (0.2, 0.1, 0.11), False),
    ], (0.2, 1.6)


def _wheels(across: float, radius: float, place: Callable) -> list[_Part]:
    thick = radius if place is place_ring else 0.08
    return [
        (place, (x, y, radius), (radius, radius, thick), True)
        for x in (-0.8, 0.8)
        for y in ({-across, across})
    ]


def _car(rng: np.random.Generator) -> tuple[list[_Part], tuple[float, float]]:
    cabin = rng.uniform(0.4, 1.2)
    return [
        (place_box, (0, 0, 0.45), (1.4, 0.55, 0.25), False),
        (place_box, (1.2 - 1.6 * cabin, 0, 0.85), (cabin, 0.5, 0.2), False),
        *_wheels(0.55, 0.22, place_cylinder),
    ], (1.0, 3.2)


def _bicycle(rng: np.random.Generator) -> tuple[list[_Part], tuple[float, float]]:
    thin = rng.uniform(0.02, 0.08)
    return [
        *_wheels(0.0, 0.36, place_ring if rng.random() < 0.7 else place_cylinder),
        (place_box, (0, 0, 0.55), (0.7, thin, thin), False),
        (place_box, (0.65, 0, 0.75), (thin, thin, 0.25), False),
        (place_box, (0.65, 0, 0.98), (thin, 0.3, 0.02), False),
        (place_ellipsoid, (-0.35, 0, 0.8), (0.15, 0.08, 0.05), False),
    ], (0.8, 1.3)


def _stand(rng: np.random.Generator) -> tuple[list[_Part], tuple[float, float]]:
    """A stack of shapes: bottles, lamps, hydrants, pillars, busts."""
    edges = np.sort(np.append(rng.uniform(0, 1, rng.integers(1, 5)), (0, 1)))
    parts = []
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        place = (place_box, place_ellipsoid, place_cylinder)[rng.integers(3)]
        wide = rng.uniform(0.04, 0.3)
        half = (wide, wide * rng.uniform(0.5, 1), (high - low) / 2)
        parts.append((place, (0, 0, (low + high) / 2), half, False))
    return parts, (0.15, 2.2)


def _chair(rng: np.random.Generator) -> tuple[list[_Part], tuple[float, float]]:
    wide = rng.uniform(0.25, 0.8)
    legs = [
        (place_cylinder, (x, y * wide, 0.23), (0.03, 0.03, 0.23), False)
        for x in (-0.2, 0.2)
        for y in (-0.9, 0.9)
    ]
    return [
        *legs,
        (place_box, (0, 0, 0.48), (0.26, wide, 0.05), False),
        (place_box, (-0.25, 0, 0.75), (0.04, wide, 0.25), False),
    ], (0.7, 1.2)


def _sign(rng: np.random.Generator) -> tuple[list[_Part], tuple[float, float]]:
    """A post with a plate, a hydrant's cap or a traffic light."""
    plate = (rng.uniform(0.05, 0.3), 0.02, rng.uniform(0.05, 0.25))
    shape = place_box if rng.random() < 0.6 else place_ellipsoid
    thin = rng.uniform(0.01, 0.05)
    return [
        (place_cylinder, (0, 0, 0.45), (thin, thin, 0.45), False),
        (shape, (0, 0.03, 0.9), plate, False),
    ], (0.8, 3.5)


def _tree(rng: np.random.Generator) -> tuple[list[_Part], tuple[float, float]]:
    thick = rng.uniform(0.02, 0.08)
    leaves = [
        (
            place_ellipsoid,
            (*rng.normal(0, 0.12, 2), rng.uniform(0.55, 0.95)),
            tuple(rng.uniform(0.1, 0.3, 3)),
            False,
        )
        for _ in range(rng.integers(1, 7))
    ]
    trunk = (place_cylinder, (0, 0, 0.3), (thick, thick, 0.3), False)
    return [trunk, *leaves], (0.5, 5.0)
