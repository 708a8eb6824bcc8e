"""Images and figures of people, which are no people: posters, screens, mannequins."""

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from projects.rendered_people.render.bodies import Bodies, BodyModel
from projects.rendered_people.render.clothing import ClothingSampler
from projects.rendered_people.render.people import Person, place_person
from projects.rendered_people.render.poses import Pose
from projects.rendered_people.render.props import (
    place_box,
    place_cylinder,
    sample_color,
    sample_material,
    to_linear,
)
from projects.rendered_people.render.renderer import NO_CUT, NO_CUT_LIMB, Surface
from projects.rendered_people.render.sampling import PoseSampler

_POSTER = 0.55  # probability of posters and screens
# Depth that is left of printed people; frames and boards are thicker, meters.
_FLAT, _THICK = 0.03, 0.02
# Log range of the height of posters in meters; probabilities of upper bodies, of walls
# behind, of people printed from about the front; spread of headings in degrees.
_HEIGHTS, _UPPER, _WALL, _FRONTAL = np.log((0.3, 2.8)), 0.5, 0.5, 0.75
_TURNED, _PRINT_TURNED = 35, 30
# Width over height and probabilities.
_RATIOS = ((0.4, 0.2), (0.7, 0.4), (1.4, 0.15), (1.78, 0.25))
# Mannequins: linear RGB of materials; probabilities of busts, of clothes and any pose.
_MATERIALS = np.array(
    [(0.8, 0.8, 0.78), (0.55, 0.38, 0.29), (0.02, 0.02, 0.02), (0.3, 0.29, 0.27)]
    + [(0.12, 0.07, 0.035), (0.6, 0.4, 0.1), (0.14, 0.28, 0.22), (0.5, 0.5, 0.52)]
)
_BUST, _STATUE = 0.2, 0.45


class DecoySampler:
    """Samples posters and screens with people on them, mannequins and statues.

    Args:
        model (BodyModel): Shared data of bodies.
        bodies (Bodies): Body shapes.
        poses (PoseSampler): Poses.
        clothing (ClothingSampler): Clothes.
        num_fabrics (int): Number of the renderer's fabrics.
    """

    def __init__(
        self,
        model: BodyModel,
        bodies: Bodies,
        poses: PoseSampler,
        clothing: ClothingSampler,
        num_fabrics: int,
    ) -> None:
        self.model, self.bodies, self.poses = model, bodies, poses
        self.clothing, self.num_fabrics = clothing, num_fabrics

    def __call__(
        self, at: np.ndarray, azimuth: float, detailed: bool, rng: np.random.Generator
    ) -> list[Surface]:
        """Sample a decoy; all surfaces have the owner 0.

        Args:
            at (np.ndarray): Position on the ground, meters, (2,).
            azimuth (float): Direction of the camera, radians.
            detailed (bool): Whether hands and faces are large in the image.
            rng (np.random.Generator): Random numbers.
        """
        if rng.random() < _POSTER:
            return self._poster(at, azimuth, detailed, rng)
        return self._figure(at, detailed, rng)

    def _poster(
        self, at: np.ndarray, azimuth: float, detailed: bool, rng: np.random.Generator
    ) -> list[Surface]:
        """A flattened person on a framed board, on a wall, a stand or the floor."""
        height = np.exp(rng.uniform(*_HEIGHTS))
        ratios, shares = zip(*_RATIOS, strict=True)
        half = height / 2 * np.array((rng.choice(ratios, p=shares), 1))
        # the largest are overhead
        low = rng.uniform(0, 1.5 if height < 1.2 else 0.4)
        low += 2 * (half.max() > 1) * (rng.random() < 0.6)
        azimuth += rng.normal(0, np.radians(_TURNED))
        turn = Rotation.from_euler('z', azimuth + np.pi / 2).as_matrix()
        middle = np.array((*at, low + half[1]))
        board = sample_material(self.num_fabrics, rng, 1.0)
        size = np.array((half[0], _THICK, half[1]))
        surfaces = [place_box(middle, turn, size, **board)]
        surfaces += self._printed(middle, turn, half, detailed, rng)
        edge = dict(color=to_linear(sample_color(rng)) * rng.choice((0.1, 1)))
        wide = rng.uniform(0.01, 0.05) * max(height, 0.6)
        deep = 2 * _THICK + _FLAT * height
        for axis, sign in ((0, -1), (0, 1), (1, -1), (1, 1)):
            reach = np.array((half[0] + wide, deep, half[1] + wide))
            reach[2 * axis] = wide
            spot = np.zeros(3)
            spot[2 * axis] = sign * half[axis]
            surfaces.append(place_box(middle + turn @ spot, turn, reach, **edge))
        top = low + height + rng.uniform(0.1, 1)
        if rng.random() < _WALL:
            size = np.array((half[0] + rng.uniform(0.2, 1.5), 0.05, top / 2))
            spot = np.array((*at, top / 2)) + turn @ (0, deep + 0.05, 0)
            wall = sample_material(self.num_fabrics, rng, 1.2)
            surfaces.append(place_box(spot, turn, size, **wall))
        elif low > 0.05:
            size = np.array((0.04, 0.04, low / 2))
            surfaces.append(
                place_cylinder(np.array((*at, low / 2)), turn, size, **edge)
            )
        return surfaces

    def _printed(
        self,
        middle: np.ndarray,
        turn: np.ndarray,
        half: np.ndarray,
        detailed: bool,
        rng: np.random.Generator,
    ) -> list[Surface]:
        """A person on a board: flattened, and cut off at its edges.

        Args:
            middle (np.ndarray): Of the board, (3,).
            turn (np.ndarray): Its rotation; its front is -y, (3, 3).
            half (np.ndarray): Half of its width and height, meters, (2,).
            detailed (bool): Whether hands and faces are large in the image.
            rng (np.random.Generator): Random numbers.
        """
        person = self._person(self.poses(rng), np.zeros(2), rng)
        if rng.random() < _FRONTAL:
            facing = np.arctan2(person.front[1], person.front[0])
            aside = rng.normal(0, np.radians(_PRINT_TURNED))
            about = Rotation.from_euler('z', aside - facing - np.pi / 2)
        else:
            about = Rotation.from_euler('z', rng.uniform(-np.pi, np.pi))
        about = about.as_matrix()
        skin = person.posed.vertices[self.model.skinned] @ about.T
        low, high = skin.min(0), skin.max(0)
        if rng.random() < _UPPER:
            low[2] += (high[2] - low[2]) * rng.uniform(0.35, 0.75)
        # the visible part fills the board's height, or its width
        spans = (high - low)[[0, 2]] * rng.uniform(1.0, 1.3)
        scale = 2 * max(half / spans) if rng.random() < 0.4 else 2 * min(half / spans)
        center = (low + high) / 2
        # nearest to the viewer last, all before the board
        center[1] = high[1]
        surfaces = self.clothing(
            self.bodies, person.body, person.posed, 0, detailed, rng
        )
        limit = np.array((half[0], np.inf, half[1]))
        printed = []
        for surface in surfaces:
            flat = (surface.position @ about.T - center) * (1, _FLAT, 1) * scale
            flat = np.clip(flat, -limit, limit) - (0, 1.1 * _THICK, 0)
            matrix = turn @ about
            printed.append(
                replace(
                    surface,
                    position=flat @ turn.T + middle,
                    normal=surface.normal @ matrix.T,
                    owner=0,
                )
            )
        return printed

    def _figure(
        self, at: np.ndarray, detailed: bool, rng: np.random.Generator
    ) -> list[Surface]:
        """A mannequin, a bust or a statue of one material, on a stand."""
        color = _MATERIALS[rng.integers(len(_MATERIALS))] * rng.uniform(0.7, 1.2)
        material = dict(color=color, fabric=-1, gloss=rng.uniform(0, 0.5))
        statue = rng.random() < _STATUE
        pose = self.poses(rng) if statue else self.poses.upright(rng)
        person = self._person(pose, at, rng)
        if statue:
            surfaces = self.clothing(
                self.bodies, person.body, person.posed, 0, detailed, rng
            )
            tall, wide = rng.uniform(0.05, 1.3), rng.uniform(0.25, 0.45)
        else:
            surfaces = self.clothing.skin(
                self.bodies, person.body, person.posed, detailed, rng
            )
            tall, wide = rng.uniform(0.01, 0.04), rng.uniform(0.15, 0.25)
        shift = np.array((0, 0, tall))
        if not statue and rng.random() < _BUST:
            material |= dict(
                cut_height=(rng.uniform(0.85, 1.3), rng.choice((2.1, NO_CUT[1])), 0, 1),
                cut_limb=(rng.uniform(0.02, 0.3), *NO_CUT_LIMB[1:]),
                closed=False,
            )
        surfaces = [
            replace(surface, position=surface.position + shift, owner=0, **material)
            for surface in surfaces
        ]
        place = place_box if rng.random() < 0.5 else place_cylinder
        half = np.array((wide, wide, tall / 2))
        base = dict(color=color) if rng.random() < 0.5 else {}
        base = base or sample_material(self.num_fabrics, rng, 0.5)
        turn = Rotation.from_euler('z', rng.uniform(0, np.pi)).as_matrix()
        surfaces.append(place(np.array((*at, tall / 2)), turn, half, **base))
        if not statue:
            high = person.posed.heads[0, 2] / 2
            rod = np.array((0.015, 0.015, high))
            surfaces.append(
                place_cylinder(np.array((*at, high + tall)), turn, rod, **base)
            )
        return surfaces

    def _person(self, pose: Pose, at: np.ndarray, rng: np.random.Generator) -> Person:
        body = int(rng.integers(len(self.bodies.vertices)))
        turn = Rotation.from_euler('z', rng.uniform(-np.pi, np.pi))
        return place_person(self.model, self.bodies, body, pose, turn, at, 0, rng)
