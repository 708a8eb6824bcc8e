"""Clothes, hair, skin and accessories, cut from MakeHuman's mesh layers."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from projects.rendered_people.render.bodies import EYES, LAYERS, Bodies, BodyModel
from projects.rendered_people.render.layers import (
    Layer,
    beard,
    brows,
    coarsen,
    garment_coordinates,
)
from projects.rendered_people.render.props import (
    place_box,
    place_ellipsoid,
    sample_color,
    to_linear,
)
from projects.rendered_people.render.renderer import NO_CUT, NO_CUT_LIMB, Surface
from projects.rendered_people.render.rigging import PosedBody

# Linear RGB of the darkest skin, the lightest skin, and lips.
_DARK, _LIGHT = np.array((0.045, 0.022, 0.014)), np.array((0.72, 0.46, 0.36))
_RED = np.array((0.45, 0.12, 0.11))
_HAIR = np.array(
    [(0.01, 0.008, 0.007), (0.03, 0.017, 0.01), (0.09, 0.045, 0.02)]
    + [(0.3, 0.19, 0.08), (0.18, 0.05, 0.015), (0.4, 0.39, 0.38)]
)
# Offset of covered skin in meters, and distance from the clothes' edges at which it
# starts, in garment coordinates.
_UNDER_CLOTHES, _SEAM = -0.012, 0.04
_CELL = 0.014  # meters between vertices of bodies that are small in the image
_HAIR_SHARES = (0.38, 0.26, 0.13, 0.1, 0.04, 0.09)


@dataclass
class _Fit:
    """Edges of a garment and its distance from the skin.

    Heights are 0 at the ankles, 1 at the hips and 2 at the neck; sleeves from 0 at the
    shoulder to 1 at the wrist.
    """

    low: float
    high: float
    sleeve: float = 0.006  # no sleeve; less would cut noise into the trunk
    push: float = 0.01
    hem: float = 0.0
    neck: float = 0.0
    neck_width: float = 0.08
    opening: float = -1.0


class ClothingSampler:
    """Samples clothes for bodies.

    Args:
        model (BodyModel): Shared data of bodies.
        num_fabrics (int): Number of the renderer's fabrics.
    """

    def __init__(self, model: BodyModel, num_fabrics: int) -> None:
        self.model = model
        self.num_fabrics = num_fabrics
        self.place = garment_coordinates(model)
        self.layers = {
            name: Layer(model.triangles[name], self.place, model.template)
            for name in (*LAYERS, *EYES)
        }
        body = model.triangles['body']
        scalp = body[(self.place[body, 2] > -2).any(1)]
        coarse = coarsen(body, model.template, _CELL)
        self.layers['scalp'] = Layer(scalp, self.place, model.template)
        self.layers['coarse body'] = Layer(coarse, self.place, model.template)
        self.beard = beard(model)
        self.brows = brows(model)

    def __call__(
        self,
        bodies: Bodies,
        index: int,
        posed: PosedBody,
        owner: int,
        detailed: bool,
        rng: np.random.Generator,
    ) -> list[Surface]:
        """Sample an outfit for a posed body.

        Args:
            bodies (Bodies): All bodies.
            index (int): Index of the body.
            posed (PosedBody): The body in its pose.
            owner (int): Number of the person in the scene, at least 1.
            detailed (bool): Whether hands and face are large in the image.
            rng (np.random.Generator): Random numbers.

        Returns:
            list[Surface]: Skin, hair, clothes and accessories.
        """
        body = 'body' if detailed else 'coarse body'
        outfit = _Outfit(self, bodies.vertices[index], posed, owner, body, rng)
        gender, age, tone = bodies.traits[index]
        hair = _HAIR[rng.choice(len(_HAIR), p=_HAIR_SHARES)] * rng.uniform(0.6, 1.4)
        style = _hair_style(rng, gender, age)
        bearded = gender < 0.5 and age > 0.6 and rng.random() < 0.35
        outfit.add_clothes(gender)
        outfit.add_skin(tone, hair, style, bearded)
        outfit.add_hair(hair, style)
        outfit.add_accessories()
        return outfit.surfaces

    def skin(
        self,
        bodies: Bodies,
        index: int,
        posed: PosedBody,
        detailed: bool,
        rng: np.random.Generator,
    ) -> list[Surface]:
        """Sample skin and eyes alone, as :meth:`__call__` does clothes."""
        body = 'body' if detailed else 'coarse body'
        outfit = _Outfit(self, bodies.vertices[index], posed, 0, body, rng)
        outfit.add_skin(0.5, _HAIR[0], 'bald', False)
        return outfit.surfaces


class _Outfit:
    """Surfaces of one person, sampled one after the other."""

    def __init__(
        self,
        sampler: ClothingSampler,
        rest: np.ndarray,
        posed: PosedBody,
        owner: int,
        body: str,
        rng: np.random.Generator,
    ) -> None:
        self.sampler, self.rest, self.posed = sampler, rest, posed
        self.owner, self.rng = owner, rng
        self.surfaces: list[Surface] = []
        self.body = body
        self.covered = np.zeros(len(sampler.layers[body].vertices), bool)

    def add_skin(
        self, tone: float, hair: np.ndarray, style: str, bearded: bool
    ) -> None:
        """Add skin and eyes."""
        rng, sampler = self.rng, self.sampler
        body = sampler.layers[self.body]
        masks = {
            name: mask[body.vertices] for name, mask in sampler.model.masks.items()
        }
        skin = _DARK * (_LIGHT / _DARK) ** tone * rng.uniform(0.9, 1.1, 3)
        color = np.tile(skin, (len(body.vertices), 1))
        _blend(color, masks['lips'] * rng.uniform(0.2, 0.9), skin * 0.4 + _RED * 0.3)
        _blend(color, masks['inside-mouth'], np.array((0.1, 0.03, 0.03)))
        _blend(color, masks['fingernails'] * 0.5, skin * 0.5 + 0.3)
        _blend(color, sampler.brows[body.vertices] * rng.uniform(0.4, 1), hair)
        if bearded:
            density = sampler.beard[body.vertices]
            _blend(color, density * rng.uniform(0.3, 0.9), hair)
        if style != 'bald':
            _blend(color, np.clip(body.place[:, 2] * 8 + 0.5, 0, 1) * 0.8, hair)
        self._add(
            self.body,
            push=_UNDER_CLOTHES * self.covered,
            triangles=body.triangles[~self.covered[body.triangles].all(1)],
            color=color,
            gloss=rng.uniform(0, 0.15),
            closed=True,
        )
        white, iris = np.full(3, 0.6), _DARK * rng.uniform(0.5, 5)
        for name in EYES:
            eye = sampler.layers[name]
            rest = self.rest[eye.vertices]
            middle = (rest.max(0) + rest.min(0)) / 2
            radius = np.linalg.norm((rest - middle)[:, [0, 2]], axis=1)
            dark = (radius < 0.45 * radius.max()) & (rest[:, 1] < middle[1])
            color = np.where(dark[:, None], iris, white)
            self._add(name, color=color, gloss=0.6, closed=True)

    def add_hair(self, color: np.ndarray, style: str) -> None:
        """Add short or long hair, a hat or a scarf."""
        rng = self.rng
        start = rng.uniform(-0.25, 0.15)
        cap = {'short': (0.004, 0.03), 'long': (0.012, 0.03), 'hat': (0.01, 0.03)}
        if style in cap:
            material = self._fabric() if style == 'hat' else {}
            self._add(
                'scalp',
                closed=True,
                push=rng.uniform(*cap[style]),
                color=color,
                cut_limb=(*NO_CUT_LIMB[:2], 0.15, start),
                folds=(rng.uniform(0.02, 0.25), 0.015, 0.5),
                **material,
            )
        if style in ('long', 'scarf'):
            material = self._fabric() if style == 'scarf' else {}
            self._add(
                'helper-hair',
                push=rng.uniform(0.005, 0.02),
                color=color,
                cut_height=(rng.uniform(1.4, 2.15), *NO_CUT[1:]),
                cut_limb=(NO_CUT_LIMB[0], rng.uniform(0.045, 0.075), 0.1, -100.0),
                folds=(rng.uniform(0.1, 0.4), 0.02, 0.5),
                **material,
            )

    def add_clothes(self, gender: float) -> None:
        """Add trousers or a skirt, a top, a jacket, shoes; or swimwear."""
        rng = self.rng
        if rng.random() < 0.04:
            self._swimwear(gender)
            return
        skirt = rng.random() < (0.28 if gender > 0.5 else 0.02)
        dress = skirt and rng.random() < 0.5
        waist = rng.uniform(1.12, 1.38)
        material = self._fabric()
        if skirt:
            self._skirt(waist, material)
        else:
            self._trousers(waist, material)
        self._top(waist, material if dress else self._fabric())
        if rng.random() < 0.3:
            self._jacket()
        if rng.random() < 0.93:
            shoe = _Fit(-1, rng.uniform(0.02, 0.35), push=rng.uniform(0.008, 0.016))
            self._garment(shoe, self._fabric(), 'helper-tights')

    def add_accessories(self) -> None:
        """Add a backpack, sunglasses, a brim, and objects in the hands.

        Keypoints behind sunglasses and brims, which belong to the person, are visible.
        """
        rng, bones = self.rng, self.sampler.model.bones
        heads, turns = self.posed.heads, self.posed.rotations
        if rng.random() < 0.12:
            half = rng.uniform((0.1, 0.05, 0.14), (0.19, 0.12, 0.26))
            back = heads[bones['spine02']] + turns[bones['spine02']] @ (0, 0.14, 0.02)
            self._object(place_box, back, turns[bones['spine02']], half)
        if rng.random() < 0.12:
            turn = turns[bones['head']]
            size = np.array((0.026, 0.004, 0.02))
            for side in ('L', 'R'):
                eye = heads[bones[f'eye.{side}']] + turn @ (0, -0.035, 0)
                self._object(place_ellipsoid, eye, turn, size, owner=self.owner)
        if rng.random() < 0.1:
            turn = turns[bones['head']]
            brow = heads[bones['head']] + turn @ (0, -0.13, 0.1)
            size = rng.uniform((0.07, 0.06, 0.004), (0.16, 0.16, 0.012))
            self._object(place_ellipsoid, brow, turn, size, owner=self.owner)
        for side in ('L', 'R'):
            if rng.random() < 0.12:
                bone = bones[f'finger3-1.{side}']
                half = np.exp(rng.uniform(np.log(0.01), np.log(0.2), 3))
                place = place_box if rng.random() < 0.6 else place_ellipsoid
                at = heads[bone] + turns[bone] @ (0, 0, -half[2])
                self._object(place, at, turns[bone], half)

    def _trousers(self, waist: float, material: dict) -> None:
        rng = self.rng
        short = rng.random() < 0.28
        low = rng.uniform(0.4, 0.85) if short else rng.uniform(-0.02, 0.14)
        wide = rng.choice((0.002, 0.012, 0.025, 0.045), p=(0.2, 0.4, 0.3, 0.1))
        fit = _Fit(low, waist, push=0.006 + wide * 0.4, hem=wide)
        self._garment(fit, material, 'helper-tights')

    def _skirt(self, waist: float, material: dict) -> None:
        low = self.rng.uniform(0.05, 0.75)
        self._garment(_Fit(low, waist, 10, push=0.01), material, 'helper-skirt')
        if self.rng.random() < 0.4:
            fit = _Fit(-0.05, waist, push=0.003)
            self._garment(fit, self._fabric(), 'helper-tights')

    def _top(self, waist: float, material: dict) -> None:
        rng = self.rng
        tucked = rng.random() < 0.35
        sleeve = rng.choice(
            (0.08, 0.3, 0.42, 0.75, 1.02), p=(0.12, 0.2, 0.25, 0.08, 0.35)
        )
        fit = _Fit(
            low=waist - (0.03 if tucked else rng.uniform(-0.08, 0.4)),
            high=rng.uniform(1.9, 2.06),
            sleeve=sleeve * rng.uniform(0.92, 1.06),
            push=rng.choice((0.006, 0.014, 0.028), p=(0.25, 0.5, 0.25)),
            hem=0.0 if tucked else rng.uniform(0, 0.03),
            neck=rng.uniform(0, 0.2) if rng.random() < 0.6 else rng.uniform(0.1, 0.4),
            neck_width=rng.uniform(0.05, 0.12),
        )
        self._garment(fit, material, 'helper-tights')

    def _jacket(self) -> None:
        rng = self.rng
        fit = _Fit(
            low=rng.uniform(0.45, 1.15),
            high=rng.uniform(1.95, 2.06),
            sleeve=rng.choice((0.1, 0.95, 1.03), p=(0.15, 0.25, 0.6)),
            push=rng.uniform(0.03, 0.045),
            hem=rng.uniform(0, 0.03),
            neck=rng.uniform(0, 0.3),
            opening=rng.uniform(0.01, 0.1) if rng.random() < 0.6 else -1.0,
        )
        self._garment(fit, self._fabric(), 'helper-tights')

    def _swimwear(self, gender: float) -> None:
        rng, material = self.rng, self._fabric()
        low = rng.uniform(0.55, 0.97)
        fit = _Fit(low, rng.uniform(1.1, 1.25), push=rng.uniform(0.004, 0.03))
        self._garment(fit, material, 'helper-tights')
        if gender > 0.5 or rng.random() < 0.3:
            fit = _Fit(rng.uniform(1.1, 1.5), 1.85, 0.02, push=0.005, neck=0.15)
            self._garment(fit, material, 'helper-tights')

    def _garment(self, fit: _Fit, material: dict, layer: str) -> None:
        place = self.sampler.layers[layer].place
        # looser towards the hem
        drop = np.clip((fit.high - place[:, 1]) / max(fit.high - fit.low, 0.1), 0, 1)
        drop = np.maximum(drop, place[:, 0])
        if layer == 'helper-tights' and fit.opening < 0:
            arm, height, _ = self.sampler.layers[self.body].place.T
            self.covered |= (
                (height > fit.low + _SEAM)
                & (height < fit.high - fit.neck - _SEAM)
                & (arm < max(fit.sleeve - _SEAM, 1e-6))
            )
        self._add(
            layer,
            push=fit.push + fit.hem * drop,
            cut_height=(fit.low, fit.high, fit.neck, fit.neck_width),
            cut_limb=(fit.sleeve, fit.opening, 0.01, -100.0),
            folds=(self.rng.uniform(0.02, 0.35), self.rng.uniform(0.02, 0.12), 0.1),
            **material,
        )

    def _fabric(self) -> dict:
        rng = self.rng
        return dict(
            fabric=int(rng.integers(self.sampler.num_fabrics)),
            tile=float(np.exp(rng.uniform(np.log(0.08), np.log(1.0)))),
            gloss=rng.uniform(0, 0.3) if rng.random() < 0.15 else 0.0,
            seed=tuple(rng.uniform(0, 9, 3)),
        )

    def _object(
        self,
        place: Callable[..., Surface],
        at: np.ndarray,
        turn: np.ndarray,
        half: np.ndarray,
        owner: int = 0,
    ) -> None:
        color = to_linear(sample_color(self.rng))
        self.surfaces.append(place(at, turn, half, color=color, owner=owner))

    def _add(self, name: str, push: np.ndarray | float = 0.0, **material) -> None:
        layer = self.sampler.layers[name]
        position = self.posed.vertices[layer.vertices]
        normal = layer.normals(position)
        push = np.broadcast_to(push, len(position))[:, None]
        material = {
            'triangles': layer.triangles,
            'seed': tuple(self.rng.uniform(0, 9, 3)),
            **material,
        }
        self.surfaces.append(
            Surface(
                position=position + push * normal,
                normal=normal,
                rest=self.rest[layer.vertices],
                rest_normal=layer.rest_normals,
                place=layer.place,
                owner=self.owner,
                **material,
            )
        )


def _blend(colors: np.ndarray, share: np.ndarray, towards: np.ndarray) -> None:
    """Blend a color into those of vertices, in place."""
    colors += share[:, None] * (towards - colors)


def _hair_style(rng: np.random.Generator, gender: float, age: float) -> str:
    shares = (
        (0.1, 0.68, 0.06, 0.14, 0.02) if gender < 0.5 else (0.01, 0.28, 0.52, 0.1, 0.09)
    )
    style = rng.choice(('bald', 'short', 'long', 'hat', 'scarf'), p=shares)
    return 'short' if style == 'bald' and age < 0.6 else str(style)
