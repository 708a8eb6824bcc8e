"""Objects around rendered people: tables, seats, walls, floor and clutter."""

import numpy as np
from scipy.spatial.transform import Rotation

from projects.rendered_people.render.people import Person
from projects.rendered_people.render.props import (
    place_box,
    place_cylinder,
    place_ellipsoid,
    place_ring,
    sample_material,
)
from projects.rendered_people.render.renderer import Camera, Surface

# Probabilities of objects.
_OCCLUDED, _TABLE, _CLUTTERED, _WALLED, _FLOORED = 0.18, 0.14, 0.5, 0.4, 0.55
_WALLED_AMONG_MODELS = 0.25
_WHEEL = 0.15
_WHEELCHAIR = 0.3
_SPOKES = 0.6  # share of wheels without a cover
# Bones that objects occlude.
_OCCLUDED_BONES = ('foot.L', 'foot.R', 'head', 'wrist.L', 'wrist.R')


class FurnitureSampler:
    """Samples objects around people.

    Args:
        bones (dict[str, int]): Index of each bone.
        num_fabrics (int): Number of the renderer's fabrics.
        modeled (bool): Whether models stand around, which walls would hide. Defaults
            to False.
    """

    def __init__(
        self, bones: dict[str, int], num_fabrics: int, modeled: bool = False
    ) -> None:
        self.bones, self.num_fabrics = bones, num_fabrics
        self.walled = _WALLED_AMONG_MODELS if modeled else _WALLED

    def table(
        self, camera: Camera, person: Person, rng: np.random.Generator
    ) -> tuple[list[Surface], float]:
        """Place a table before a person; return its surfaces and its upper row."""
        heads, bones = person.posed.heads, self.bones
        root, neck = heads[bones['root']], heads[bones['neck01']]
        towards = (camera.eye - root) * (1, 1, 0)
        towards = towards / max(np.linalg.norm(towards), 1e-6)
        turn = _facing(towards) @ _yaw(rng.normal(0, 0.2))
        top = root[2] + rng.uniform(-0.1, 0.6) * (neck[2] - root[2])
        top = max(top, 0.3)
        wide, deep = rng.uniform(0.5, 1.6), rng.uniform(0.15, 0.4)
        away = rng.uniform(0.2, 0.4) + deep
        at = root * (1, 1, 0) + towards * away
        thick = top / 2 if rng.random() < 0.6 else rng.uniform(0.01, 0.04)
        half = np.array((wide, deep, thick))
        material = sample_material(self.num_fabrics, rng, 0.6)
        objects = [place_box(at + (0, 0, top - thick), turn, half, **material)]
        for _ in range(rng.integers(0, 8)):
            size = np.exp(rng.normal(np.log((0.05, 0.05, 0.07)), 0.5))
            place = (place_box, place_ellipsoid, place_cylinder)[rng.integers(3)]
            spot = at + turn @ (
                *(rng.uniform(-0.8, 0.8, 2) * (min(wide, 0.6), deep)),
                0,
            )
            spot = np.append(spot[:2], top + size[2])
            material = sample_material(self.num_fabrics, rng, 0.2)
            objects.append(
                place(spot, turn @ _yaw(rng.uniform(0, 3)), size, **material)
            )
        if rng.random() < _WHEEL:
            # a steering wheel, tilted towards the driver
            tilt = Rotation.from_euler('x', rng.uniform(40, 80), degrees=True)
            radius = rng.uniform(0.16, 0.24)
            spot = root * (1, 1, 0) + towards * rng.uniform(0.3, 0.5)
            spot = spot + (0, 0, top + radius * rng.uniform(0.3, 1))
            half = np.array((radius, radius, radius))
            color = np.full(3, rng.uniform(0.01, 0.2))
            objects.append(place_ring(spot, turn @ tilt.as_matrix(), half, color=color))
        edge = camera.project(at + (0, 0, top) - towards * deep)
        return objects, float(edge[1])

    def seat(self, person: Person, rng: np.random.Generator) -> list[Surface]:
        """Place a seat under a person, with an optional back or wheels."""
        posed, bones = person.posed, self.bones
        root = posed.heads[bones['root']]
        top = root[2] - rng.uniform(0.09, 0.15)
        turn = _facing(person.front)
        material = sample_material(self.num_fabrics, rng, 0.4)
        kind = rng.random()
        if kind < 0.12 or top < 0.1:
            return []
        deep = rng.uniform(0.16, 0.3)
        wide = rng.uniform(0.2, 0.35) if kind < 0.7 else rng.uniform(0.5, 1.5)
        wide = max(wide, person.bench)
        solid = top / 2 if rng.random() < 0.5 else 0.03
        floor = np.array((root[0], root[1], 0)) + turn @ (0, -deep + 0.16, 0)
        objects = [
            place_box(
                floor + (0, 0, top - solid), turn, (wide, deep, solid), **material
            )
        ]
        if rng.random() < 0.55:
            tall = rng.uniform(0.15, 0.4)
            at = floor + turn @ (0, deep + 0.03, 0) + (0, 0, top + tall)
            objects.append(place_box(at, turn, (wide, 0.03, tall), **material))
        if rng.random() < _WHEELCHAIR and not person.bench:
            objects += _wheelchair(floor, turn, wide, deep, top, rng)
        return objects

    def surroundings(
        self, camera: Camera, person: Person, rng: np.random.Generator
    ) -> list[Surface]:
        """Place a floor, walls, clutter, a table and an occluder around a person."""
        objects = [self.floor(rng)]
        center = person.posed.heads[0]
        aside, forward = camera.rotation[0], camera.rotation[2]
        ahead = forward * (1, 1, 0) / max(np.linalg.norm(forward[:2]), 1e-6)
        if rng.random() < self.walled:
            at = center * (1, 1, 0) + ahead * rng.uniform(0.5, 5)
            turn = _facing(ahead) @ _yaw(rng.normal(0, 0.4))
            material = sample_material(self.num_fabrics, rng, 1.2)
            objects.append(place_box(at, turn, (20, 0.05, 4), **material))
        if rng.random() < _CLUTTERED:
            for _ in range(rng.integers(2, 13)):
                away = ahead * rng.uniform(0.4, 5) + aside * rng.normal(0, 1.6)
                objects.append(self._object(center + away, 0.5, rng))
        if rng.random() < _TABLE:
            turn = _facing(person.front)
            top = rng.uniform(0.6, 1.1)
            at = center * (1, 1, 0) + person.front * rng.uniform(0.45, 0.8)
            half = np.array((rng.uniform(0.3, 1.2), rng.uniform(0.15, 0.4), 0.02))
            if rng.random() < 0.4:
                half[2] = top / 2
            material = sample_material(self.num_fabrics, rng, 0.6)
            objects.append(
                place_box(at + (0, 0, top - half[2]), turn, half, **material)
            )
        if rng.random() < _OCCLUDED:
            near = person.posed.heads[self.bones[rng.choice(_OCCLUDED_BONES)]]
            at = near + (camera.eye - near) * rng.uniform(0.15, 0.5)
            objects.append(self._object(at, 0.12, rng, floating=True))
        return objects

    def floor(self, rng: np.random.Generator) -> Surface:
        """Place a floor, or only the shadows on the background's."""
        material = dict(only_shadow=True)
        if rng.random() < _FLOORED:
            material = sample_material(self.num_fabrics, rng, 1.0)
        return place_box(np.array((0, 0, -0.02)), np.eye(3), (60, 60, 0.02), **material)

    def _object(
        self,
        at: np.ndarray,
        size: float,
        rng: np.random.Generator,
        floating: bool = False,
    ) -> Surface:
        half = size * np.exp(rng.normal(0, 0.6, 3))
        place = (place_box, place_ellipsoid, place_cylinder)[rng.integers(3)]
        turn = _yaw(rng.uniform(0, np.pi))
        if not floating:
            at = np.array((at[0], at[1], half[2]))
        elif rng.random() < 0.5:
            turn = Rotation.random(random_state=rng).as_matrix()
        return place(at, turn, half, **sample_material(self.num_fabrics, rng, 0.5))


def _wheelchair(
    floor: np.ndarray,
    turn: np.ndarray,
    wide: float,
    deep: float,
    top: float,
    rng: np.random.Generator,
) -> list[Surface]:
    """Place wheels, casters, armrests and footrests around a seat.

    Args:
        floor (np.ndarray): Position below the seat's center, (3,).
        turn (np.ndarray): Rotation of the seat, (3, 3).
        wide (float): Half of the seat's width, meters.
        deep (float): Half of its depth.
        top (float): Its height.
        rng (np.random.Generator): Random numbers.
    """
    spin = turn @ Rotation.from_euler('y', 90, degrees=True).as_matrix()
    frame = dict(color=np.full(3, rng.uniform(0.01, 0.5)))
    dark = dict(color=np.full(3, rng.uniform(0.01, 0.1)))
    radius = rng.uniform(0.26, 0.33)
    spokes = rng.random() < _SPOKES
    arms = rng.random() < 0.7
    objects = []
    for side in (-1, 1):
        wheel = floor + turn @ (side * (wide + 0.04), 0.05, radius)
        objects.append(place_ring(wheel, spin, np.full(3, radius), **dark))
        if spokes:
            hand_rim = wheel + turn @ (side * 0.03, 0, 0)
            objects.append(
                place_ring(hand_rim, spin, np.full(3, 0.9 * radius), **frame)
            )
            for angle in range(0, 180, 30):
                spoke = turn @ Rotation.from_euler('x', angle, degrees=True).as_matrix()
                objects.append(place_box(wheel, spoke, (0.003, 0.003, radius), **frame))
        else:
            objects.append(place_cylinder(wheel, spin, (radius, radius, 0.015), **dark))
        caster = floor + turn @ (side * wide, -deep - 0.1, 0.07)
        objects.append(place_cylinder(caster, spin, (0.07, 0.07, 0.015), **dark))
        foot = floor + turn @ (side * wide / 2, -deep - 0.25, 0.01)
        objects.append(place_box(foot, turn, (wide / 3, 0.08, 0.01), **frame))
        if arms:
            rest = floor + turn @ (side * (wide + 0.01), 0, top + 0.2)
            objects.append(place_box(rest, turn, (0.025, 0.8 * deep, 0.015), **dark))
    return objects


def _facing(front: np.ndarray) -> np.ndarray:
    """Rotation about the vertical that maps -y to a direction."""
    return _yaw(np.arctan2(front[1], front[0]) + np.pi / 2)


def _yaw(angle: float) -> np.ndarray:
    return Rotation.from_euler('z', angle).as_matrix()
