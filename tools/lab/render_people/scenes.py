"""Scenes: a person to label, others, furniture, a place, light and a camera."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from tools.lab.panoramas import view

from .bodies import Bodies, BodyModel
from .fabrics import to_light
from .poses import PoseSampler, at_table
from .renderer import Camera, Light, Scene, Surface
from .rigging import PosedBody, pose_body
from .things import draw_look, place_ball, place_box, place_post, place_ring
from .wardrobe import Wardrobe

_PADDING = 1.35  # of the box, as in the shards that there are
_FOCAL = 1000.0
# How many others there are, and how often.
_OTHERS = ((0, 0.48), (1, 0.24), (2, 0.14), (3, 0.08), (5, 0.06))
_FROM_FRONT, _FRONT_SPREAD = 0.5, np.radians(50)
# Metres between people's middles, and how often a place is drawn to have them.
_APART, _TRIES = 0.35, 8
_TRUNCATED, _FROM_BELOW = 0.42, 0.6
_OCCLUDED, _TABLE, _CLUTTERED, _WALLED, _FLOORED = 0.18, 0.14, 0.5, 0.4, 0.55
_SUNNY = 0.7
_LOWEST_EYE = 0.1  # meters above the floor
_LENS = 0.3  # meters that nothing of a person comes nearer
# How often somebody who stands holds the camera, whose eyes are so high, meters.
_HELD, _EYES = 0.6, (1.5, 0.35)
# How often the camera looks down, and by how many degrees.
_FROM_ABOVE, _FROM_HIGH = (0.08, 25, 70), (0.3, 12, 55)
# Who sits is seen by those who stand, and from behind as often as from anywhere.
_SEATED_FROM_HIGH, _SEATED_FROM_FRONT = 0.45, 0.3
# Backdrops: wider views than the camera's, by up to this factor, of a focal length in
# pictures' widths; how often they have details as fine as their pixels, how strong.
_WIDER, _FOCALS = 3.0, (0.35, 2.2)
_DETAILED, _STRENGTH, _FINEST = 0.75, 0.75, 6.0
_BRIGHTEST = 3.0  # times the median
_GRAY = 0.7  # of the light of places that are colors
_FINE = 0.004  # meters; who has that in a pixel has hands and a face to be seen
_SHADOWS, _SHADOWS_WIDE = 3.0, 7.0  # meters around a person in which things cast them
# Of whole photographs: their shapes, how wide they look, how much of their height the
# first person takes, how many others there are, and how many show nobody.
_SHAPES = ((16 / 9, 0.35), (4 / 3, 0.3), (1, 0.1), (3 / 4, 0.15), (9 / 16, 0.1))
_FIELD = np.radians((35, 80))
_PART = np.log((0.16, 1.4))
_CROWD = ((0, 0.25), (1, 0.2), (2, 0.2), (4, 0.2), (7, 0.15))
_GROUPED, _NOBODY = 0.4, 0.07
_NEAREST = 1.2  # meters
# Of other framings: meters from the camera, how often and by how many degrees it looks
# down, fewest vertices to be seen of each fifth, how often close-ups are cut above and
# at each side, how often there is a wheel.
_NEAR_AND_FAR = {'table': (1.0, 5), 'close': (1.0, 5), 'steep': (0.9, 3)}
_STEEP, _FEWEST = (0.6, 30, 85), 200
_CUT_ABOVE, _CUT_ASIDE, _WHEEL = 0.25, 0.3, 0.15
_PARTS = ('foot.L', 'foot.R', 'head', 'wrist.L', 'wrist.R')


@dataclass
class Actor:
    """Somebody in a scene.

    Attributes:
        body (int): Which of the bodies.
        posed (PosedBody): In the world, meters, z up.
        front (np.ndarray): Where its chest points, unit vector on the ground, (3,).
        seated (bool): Whether it sits.
        owner (int): Its number; the one to label is 1.
    """

    body: int
    posed: PosedBody
    front: np.ndarray
    seated: bool
    owner: int


@dataclass(frozen=True)
class Framings:
    """Shares of crops that are framed in other ways than the whole body.

    Attributes:
        tables (float): Upper bodies behind a table, a counter or a wheel, with things
            on it.
        close (float): Cut by the photograph, between the shoulders and the thighs.
        steep (float): From near, high above or close to the floor, as wide lenses see.
    """

    tables: float = 0.0
    close: float = 0.0
    steep: float = 0.0

    def draw(self, rng: np.random.Generator) -> str:
        """Draw one; without a draw where there are none."""
        shares = np.cumsum((self.tables, self.close, self.steep))
        if not shares[-1]:
            return 'whole'
        kinds = ('table', 'close', 'steep', 'whole')
        return kinds[np.searchsorted(shares, rng.random(), 'right')]


@dataclass
class Shot:
    """A scene, and how it is looked at.

    Attributes:
        scene (Scene): What is there.
        camera (Camera): Of the picture.
        actors (list[Actor]): Who is there; the first is the one that a crop is about.
        frame (np.ndarray): Where the photograph is in the picture, of which it may
            reach beyond, x1, y1, x2, y2 pixels.
        focus (np.ndarray): The middle of the first, (3,).
        shadows (float): Metres around it in which things cast them.
    """

    scene: Scene
    camera: Camera
    actors: list[Actor]
    frame: np.ndarray
    focus: np.ndarray
    shadows: float


class SceneSampler:
    """Draws shots.

    Args:
        model (BodyModel): What bodies have in common.
        bodies (Bodies): Their shapes.
        poses (PoseSampler): Their poses.
        panoramas (list[np.ndarray]): Places: linear BGR with a median of 1.
        num_fabrics (int): Of the renderer.
        size (tuple[int, int]): Of pictures, width and height in pixels.
        framings (Framings): How crops are framed.
    """

    def __init__(
        self,
        model: BodyModel,
        bodies: Bodies,
        poses: PoseSampler,
        panoramas: list[np.ndarray],
        num_fabrics: int,
        size: tuple[int, int],
        framings: Framings = Framings(),
    ) -> None:
        self.framings = framings
        self.model, self.bodies, self.poses = model, bodies, poses
        self.num_fabrics, self.size = num_fabrics, size
        self.places = [(panorama, *_ambient(panorama)) for panorama in panoramas]
        self.wardrobe = Wardrobe(model, num_fabrics)

    def crop(self, rng: np.random.Generator) -> Shot | None:
        """Draw a crop of a person; ``None`` if it would hardly be in it."""
        framing = self.framings.draw(rng)
        adapt = at_table if framing == 'table' else None
        actor = self._actor(rng, 1, np.zeros(2), adapt)
        center = self._center(actor)
        near, far = _NEAR_AND_FAR.get(framing, (1.6, 11))
        distance = np.exp(rng.uniform(np.log(near), np.log(far)))
        above = _STEEP if framing == 'steep' else _FROM_ABOVE
        rotation, translation = _look_at(actor, center, distance, above, rng)
        camera = Camera(
            np.array((_FOCAL, _FOCAL, 0.0, 0.0)), rotation, translation, self.size
        )
        table, top = [], None
        if framing == 'table':
            table, top = self._table(camera, actor, rng)
        cropped = self._crop(camera, actor, rng, framing == 'close', top)
        if cropped is None:
            return None
        camera, frame = cropped
        others = self._others(_OTHERS, lambda: _beside(camera, rng), rng)
        actors = [actor, *(each for each in others if self._is_in_view(each, camera))]
        scene = self._scene(actors, actor, camera, rng)
        scene.surfaces += table
        return Shot(scene, camera, actors, frame, center, _SHADOWS)

    def photograph(self, rng: np.random.Generator) -> Shot | None:
        """Draw a photograph of people anywhere, or of nobody.

        ``None`` if somebody would be in front of the lens.
        """
        frame = _photograph(self.size, rng)
        extent = frame[2:] - frame[:2]
        focal = extent.max() / 2 / np.tan(rng.uniform(*_FIELD) / 2)
        actor = self._actor(rng, 1, np.zeros(2))
        center = self._center(actor)
        tall = np.ptp(actor.posed.vertices[self.model.skinned], axis=0).max()
        distance = focal * tall / (extent[1] * np.exp(rng.uniform(*_PART)))
        distance = max(distance, _NEAREST)
        rotation, translation = _look_at(actor, center, distance, _FROM_HIGH, rng)
        at = frame[:2] + extent * rng.beta(2, 2, 2)
        intrinsics = np.array((focal, focal, *at))
        camera = Camera(intrinsics, rotation, translation, self.size)

        def place() -> np.ndarray:
            if rng.random() < _GROUPED:
                return _beside(camera, rng)
            return _anywhere(camera, frame, distance, rng)

        actors = [actor, *self._others(_CROWD, place, rng)]
        actors = [somebody for somebody in actors if self._is_in_view(somebody, camera)]
        if any(self._nearest(somebody, camera) < _LENS for somebody in actors):
            return None
        if rng.random() < _NOBODY:
            actors = []
        scene = self._scene(actors, actor, camera, rng)
        return Shot(scene, camera, actors, frame, center, _SHADOWS_WIDE)

    def _scene(
        self,
        actors: list[Actor],
        actor: Actor,
        camera: Camera,
        rng: np.random.Generator,
    ) -> Scene:
        """Dress people, and put things around one of them."""
        surfaces = [
            surface
            for somebody in actors
            for surface in self.wardrobe(
                self.bodies,
                somebody.body,
                somebody.posed,
                somebody.owner,
                _is_large(somebody, camera),
                rng,
            )
        ]
        for somebody in actors:
            if somebody.seated:
                surfaces += self._seat(somebody, rng)
        surfaces += self._surroundings(camera, actor, rng)
        backdrop, sky, ground = self._place(camera, rng)
        return Scene(_light(sky, ground, rng), backdrop, surfaces)

    def _center(self, actor: Actor) -> np.ndarray:
        return actor.posed.vertices[self.model.skinned].mean(0)

    def _nearest(self, actor: Actor, camera: Camera) -> float:
        points = actor.posed.vertices[self.model.skinned[::5]]
        return camera.to_camera(points)[:, 2].min()

    def _actor(
        self,
        rng: np.random.Generator,
        owner: int,
        at: np.ndarray,
        adapt: Callable | None = None,
    ) -> Actor:
        body = int(rng.integers(len(self.bodies.vertices)))
        pose = self.poses(rng)
        if adapt is not None:
            pose = adapt(pose, rng)
        turn = Rotation.from_euler('z', rng.uniform(-np.pi, np.pi))
        posed = pose_body(self.model, self.bodies, body, pose, rng)
        front = (turn * pose.chest).apply((0, -1, 0)) * (1, 1, 0)
        # the mesh has vertices that nobody sees, some of them lower
        shift = np.append(at, -posed.vertices[self.model.skinned, 2].min())
        root = posed.heads[0] * (1, 1, 0)
        matrix = turn.as_matrix()
        posed = PosedBody(
            rotations=matrix @ posed.rotations,
            heads=(posed.heads - root) @ matrix.T + shift,
            vertices=((posed.vertices - root) @ matrix.T + shift).astype(np.float32),
        )
        front = front / max(np.linalg.norm(front), 1e-6)
        return Actor(body, posed, front, pose.seated, owner)

    def _others(
        self,
        numbers: tuple[tuple[int, float], ...],
        place: Callable[[], np.ndarray],
        rng: np.random.Generator,
    ) -> list[Actor]:
        """As many others as come up, each at a place of its own."""
        counts, shares = zip(*numbers, strict=True)
        spots = [np.zeros(2)]
        for _ in range(rng.choice(counts, p=shares)):
            for _ in range(_TRIES):
                spot = place()
                if np.linalg.norm(np.array(spots) - spot, axis=1).min() > _APART:
                    break
            spots.append(spot)
        return [
            self._actor(rng, owner, spot) for owner, spot in enumerate(spots[1:], 2)
        ]

    def _is_in_view(self, actor: Actor, camera: Camera) -> bool:
        pixels = camera.project(actor.posed.vertices[self.model.skinned[::50]])
        return bool(((pixels > 0) & (pixels < camera.size)).all(1).any())

    def _crop(
        self,
        camera: Camera,
        actor: Actor,
        rng: np.random.Generator,
        close: bool = False,
        top: float | None = None,
    ) -> tuple[Camera, np.ndarray] | None:
        """Aim the camera at what the photograph shows of a person.

        Args:
            camera (Camera): That looks at the person.
            actor (Actor): The person.
            rng (np.random.Generator): Chance.
            close (bool): Whether the photograph ends at the upper body.
            top (float, optional): Row below which something hides the person.
        """
        if self._nearest(actor, camera) < _LENS:
            return None
        pixels = camera.project(actor.posed.vertices[self.model.skinned[::5]])
        box = np.concatenate([pixels.min(0), pixels.max(0)])
        seen, frame = _come_close(box, rng) if close else _truncate(box, rng)
        low, high = frame[:2], frame[2:].copy()
        if top is not None:
            high[1] = min(high[1], top)
        if close or top is not None:
            left = pixels[((pixels > low) & (pixels < high)).all(1)]
            if len(left) < _FEWEST:
                return None
            seen = np.concatenate([left.min(0), left.max(0)])
        width, height = self.size
        center = (seen[:2] + seen[2:]) / 2
        spans = (seen[2:] - seen[:2]) / (width, height)
        scale = 1 / (spans.max() * _PADDING)
        intrinsics = np.append(
            np.full(2, _FOCAL * scale), np.array((width, height)) / 2 - center * scale
        )
        frame = (frame - np.tile(center, 2)) * scale + np.tile((width, height), 2) / 2
        return replace(camera, intrinsics=intrinsics), frame

    def _table(
        self, camera: Camera, actor: Actor, rng: np.random.Generator
    ) -> tuple[list[Surface], float]:
        """A table before a person, things on it, and the row where it begins."""
        heads, bones = actor.posed.heads, self.model.bones
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
        look = draw_look(self.num_fabrics, rng, 0.6)
        things = [place_box(at + (0, 0, top - thick), turn, half, **look)]
        for _ in range(rng.integers(0, 8)):
            size = np.exp(rng.normal(np.log((0.05, 0.05, 0.07)), 0.5))
            place = (place_box, place_ball, place_post)[rng.integers(3)]
            spot = at + turn @ (
                *(rng.uniform(-0.8, 0.8, 2) * (min(wide, 0.6), deep)),
                0,
            )
            spot = np.append(spot[:2], top + size[2])
            look = draw_look(self.num_fabrics, rng, 0.2)
            things.append(place(spot, turn @ _yaw(rng.uniform(0, 3)), size, **look))
        if rng.random() < _WHEEL:
            # of a car: upright, tilted towards the driver
            tilt = Rotation.from_euler('x', rng.uniform(40, 80), degrees=True)
            radius = rng.uniform(0.16, 0.24)
            spot = root * (1, 1, 0) + towards * rng.uniform(0.3, 0.5)
            spot = spot + (0, 0, top + radius * rng.uniform(0.3, 1))
            half = np.array((radius, radius, radius))
            color = np.full(3, rng.uniform(0.01, 0.2))
            things.append(place_ring(spot, turn @ tilt.as_matrix(), half, color=color))
        edge = camera.project(at + (0, 0, top) - towards * deep)
        return things, float(edge[1])

    def _seat(self, actor: Actor, rng: np.random.Generator) -> list[Surface]:
        """A box to sit on, perhaps with a back or wheels."""
        posed, bones = actor.posed, self.model.bones
        root = posed.heads[bones['root']]
        top = root[2] - rng.uniform(0.09, 0.15)
        turn = _facing(actor.front)
        look = draw_look(self.num_fabrics, rng, 0.4)
        kind = rng.random()
        if kind < 0.12 or top < 0.1:
            return []
        deep = rng.uniform(0.16, 0.3)
        wide = rng.uniform(0.2, 0.35) if kind < 0.7 else rng.uniform(0.5, 1.5)
        solid = top / 2 if rng.random() < 0.5 else 0.03
        floor = np.array((root[0], root[1], 0)) + turn @ (0, -deep + 0.16, 0)
        things = [
            place_box(floor + (0, 0, top - solid), turn, (wide, deep, solid), **look)
        ]
        if rng.random() < 0.55:
            tall = rng.uniform(0.15, 0.4)
            at = floor + turn @ (0, deep + 0.03, 0) + (0, 0, top + tall)
            things.append(place_box(at, turn, (wide, 0.03, tall), **look))
        if rng.random() < 0.3:
            spin = turn @ Rotation.from_euler('y', 90, degrees=True).as_matrix()
            dark = np.full(3, rng.uniform(0.01, 0.1))
            for side in (-1, 1):
                at = floor + turn @ (side * (wide + 0.04), 0.05, 0) + (0, 0, 0.3)
                things.append(place_post(at, spin, (0.3, 0.3, 0.02), color=dark))
        return things

    def _surroundings(
        self, camera: Camera, actor: Actor, rng: np.random.Generator
    ) -> list[Surface]:
        things = [self._floor(rng)]
        center = actor.posed.heads[0]
        aside, forward = camera.rotation[0], camera.rotation[2]
        ahead = forward * (1, 1, 0) / max(np.linalg.norm(forward[:2]), 1e-6)
        if rng.random() < _WALLED:
            at = center * (1, 1, 0) + ahead * rng.uniform(0.5, 5)
            turn = _facing(ahead) @ _yaw(rng.normal(0, 0.4))
            look = draw_look(self.num_fabrics, rng, 1.2)
            things.append(place_box(at, turn, (20, 0.05, 4), **look))
        if rng.random() < _CLUTTERED:
            for _ in range(rng.integers(2, 13)):
                away = ahead * rng.uniform(0.4, 5) + aside * rng.normal(0, 1.6)
                things.append(self._thing(center + away, 0.5, rng))
        if rng.random() < _TABLE:
            turn = _facing(actor.front)
            top = rng.uniform(0.6, 1.1)
            at = center * (1, 1, 0) + actor.front * rng.uniform(0.45, 0.8)
            half = np.array((rng.uniform(0.3, 1.2), rng.uniform(0.15, 0.4), 0.02))
            if rng.random() < 0.4:
                half[2] = top / 2
            look = draw_look(self.num_fabrics, rng, 0.6)
            things.append(place_box(at + (0, 0, top - half[2]), turn, half, **look))
        if rng.random() < _OCCLUDED:
            near = actor.posed.heads[self.model.bones[rng.choice(_PARTS)]]
            at = near + (camera.eye - near) * rng.uniform(0.15, 0.5)
            things.append(self._thing(at, 0.12, rng, floating=True))
        return things

    def _floor(self, rng: np.random.Generator) -> Surface:
        look = dict(only_shadow=True)
        if rng.random() < _FLOORED:
            look = draw_look(self.num_fabrics, rng, 1.0)
        return place_box(np.array((0, 0, -0.02)), np.eye(3), (60, 60, 0.02), **look)

    def _thing(
        self,
        at: np.ndarray,
        size: float,
        rng: np.random.Generator,
        floating: bool = False,
    ) -> Surface:
        half = size * np.exp(rng.normal(0, 0.6, 3))
        place = (place_box, place_ball, place_post)[rng.integers(3)]
        turn = _yaw(rng.uniform(0, np.pi))
        if not floating:
            at = np.array((at[0], at[1], half[2]))
        elif rng.random() < 0.5:
            turn = Rotation.random(random_state=rng).as_matrix()
        return place(at, turn, half, **draw_look(self.num_fabrics, rng, 0.5))

    def _place(
        self, camera: Camera, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What is behind everything, and the light of the upper and lower half."""
        width, height = self.size
        if not self.places or rng.random() < 0.15:
            colors = rng.uniform(0.02, 1, (2, 3))
            ramp = np.linspace(0, 1, height)[:, None, None]
            backdrop = (1 - ramp) * colors[0] + ramp * colors[1]
            backdrop = np.broadcast_to(backdrop, (height, width, 3))
            gray = colors.mean(1, keepdims=True)
            above, below = _GRAY * gray + (1 - _GRAY) * colors
            return self._detailed(backdrop, rng), above, below
        panorama, above, below = self.places[rng.integers(len(self.places))]
        picture = _behind(camera, panorama, rng)
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC)
        backdrop = to_light(picture[..., ::-1] / np.float32(255))
        return self._detailed(backdrop, rng), above, below

    def _detailed(self, backdrop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Give a backdrop details, which panoramas lack when they are enlarged.

        They are those of a panorama at its own resolution, of another place: sharp
        edges must not be what tells people from what is behind them.
        """
        backdrop = backdrop.astype(np.float32)
        if not self.places or rng.random() >= _DETAILED:
            return backdrop
        height, width = backdrop.shape[:2]
        panorama = self.places[rng.integers(len(self.places))][0]
        shift = rng.integers(panorama.shape[1])
        zoom = np.exp(rng.uniform(np.log(0.7), np.log(2.0)))
        rows, columns = min(round(height / zoom), len(panorama)), round(width / zoom)
        top = rng.integers(len(panorama) - rows + 1)
        piece = np.roll(panorama[top : top + rows], shift, axis=1)[:, :columns]
        # lamps and the sun would have dark rings
        piece = np.minimum(piece, _BRIGHTEST)
        piece = cv2.resize(piece, (width, height), interpolation=cv2.INTER_LINEAR)
        smooth = cv2.GaussianBlur(piece, (0, 0), _FINEST * zoom)
        ratio = (piece + 0.05) / (smooth + 0.05)
        strength = rng.uniform(0, _STRENGTH)
        return backdrop * ratio[..., ::-1].clip(0.4, 2.5) ** np.float32(strength)


def _behind(
    camera: Camera, panorama: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """View of a place at half the size, whose horizon is the camera's."""
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
        # the horizon is so many focal lengths below the line of sight
        pitch=np.arctan(steep * focal / wide),
        exposure=np.exp(rng.normal(0, 0.5)),
        roll=np.arctan2(camera.rotation[0, 2], -camera.rotation[1, 2]),
        center=tuple(middle / 2),
    )


def _ambient(panorama: np.ndarray) -> list[np.ndarray]:
    """Light of a panorama's upper and lower half, RGB."""
    half = len(panorama) // 2
    return [
        0.4 * np.minimum(part, 4).mean((0, 1))[::-1]
        for part in (panorama[:half], panorama[half:])
    ]


def _is_large(actor: Actor, camera: Camera) -> bool:
    away = camera.to_camera(actor.posed.heads[0])[2]
    return camera.intrinsics[0] * _FINE > max(away, 0.1)


def _beside(camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """A place on the ground close to the first person, who is at the origin, (2,)."""
    aside, _, forward = camera.rotation
    sideways = rng.choice((-1, 1)) * rng.uniform(0.2, 1.3)
    behind = rng.uniform(0.2, 2.5) if rng.random() < 0.75 else rng.uniform(-0.8, 0)
    return (sideways * aside + behind * forward)[:2]


def _anywhere(
    camera: Camera, frame: np.ndarray, distance: float, rng: np.random.Generator
) -> np.ndarray:
    """A place on the ground that a photograph shows, (2,)."""
    away = max(distance * np.exp(rng.uniform(np.log(0.5), np.log(3))), _NEAREST)
    column = rng.uniform(frame[0], frame[2])
    sideways = (column - camera.intrinsics[2]) / camera.intrinsics[0] * away
    aside, _, forward = camera.rotation
    ahead = forward[:2] / max(np.linalg.norm(forward[:2]), 1e-6)
    return camera.eye[:2] + sideways * aside[:2] + away * ahead


def _photograph(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Edges of a photograph of a usual shape in the middle, x1, y1, x2, y2 pixels."""
    shapes, shares = zip(*_SHAPES, strict=True)
    shape = rng.choice(shapes, p=shares)
    extent = np.array(size) * (min(shape, 1), min(1 / shape, 1))
    middle = np.array(size) / 2
    return np.rint(np.concatenate([middle - extent / 2, middle + extent / 2]))


def _look_at(
    actor: Actor,
    center: np.ndarray,
    distance: float,
    from_above: tuple[float, float, float],
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Rotation and translation of a camera above the floor that sees somebody."""
    elevation = rng.normal(np.radians(5), np.radians(11))
    if rng.random() < _HELD:
        height = rng.normal(*_EYES) - center[2]
        elevation = np.arcsin(np.clip(height / distance, -0.5, 0.5))
    share, *steep = from_above
    if actor.seated:
        share = max(share, _SEATED_FROM_HIGH)
    if rng.random() < share:
        elevation = rng.uniform(*np.radians(steep))
    lowest = np.arcsin(np.clip((_LOWEST_EYE - center[2]) / distance, -1, 1))
    elevation = max(elevation, lowest)
    azimuth = np.arctan2(actor.front[1], actor.front[0])
    if rng.random() < (_SEATED_FROM_FRONT if actor.seated else _FROM_FRONT):
        azimuth += rng.normal(0, _FRONT_SPREAD)
    else:
        azimuth += rng.uniform(-np.pi, np.pi)
    spread = np.radians(4 if rng.random() < 0.93 else 30)
    towards = _direction(azimuth, elevation)
    aside = np.cross(-towards, (0, 0, 1.0))
    aside = aside / np.linalg.norm(aside)
    upright = np.stack([aside, np.cross(-towards, aside), -towards])
    roll = Rotation.from_euler('z', rng.normal(0, spread)).as_matrix()
    rotation = roll @ upright
    return rotation, -rotation @ (center + distance * towards)


def _truncate(
    box: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Let a photograph end within somebody: what is left of the box, and its edges."""
    size = box[2:] - box[:2]
    room = size.max() * rng.uniform(0, 3, 4)
    frame = np.concatenate([box[:2] - room[:2], box[2:] + room[2:]])
    if rng.random() < _TRUNCATED:
        if rng.random() < _FROM_BELOW:
            frame[3] = box[1] + size[1] * rng.uniform(0.28, 0.95)
        else:
            side = rng.integers(4)
            lost = size[side % 2] * rng.uniform(0.05, 0.5)
            frame[side] = box[side] + (lost if side < 2 else -lost)
    seen = np.concatenate(
        [np.maximum(box[:2], frame[:2]), np.minimum(box[2:], frame[2:])]
    )
    return seen, frame


def _come_close(
    box: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Let a photograph show the upper part of a box, as :func:`_truncate`."""
    size = box[2:] - box[:2]
    room = size.max() * rng.uniform(0, 0.4, 4)
    frame = np.concatenate([box[:2] - room[:2], box[2:] + room[2:]])
    frame[3] = box[1] + size[1] * rng.uniform(0.2, 0.55)
    if rng.random() < _CUT_ABOVE:
        frame[1] = box[1] + size[1] * rng.uniform(0, 0.08)
    for side, sign in ((0, 1), (2, -1)):
        if rng.random() < _CUT_ASIDE:
            frame[side] = box[side] + sign * size[0] * rng.uniform(0.05, 0.4)
    return box, frame


def _light(sky: np.ndarray, ground: np.ndarray, rng: np.random.Generator) -> Light:
    elevation = np.arcsin(rng.uniform(0.15, 1))
    azimuth = rng.uniform(-np.pi, np.pi)
    direction = _direction(azimuth, elevation)
    sun = np.zeros(3)
    if rng.random() < _SUNNY:
        warmth = rng.normal(0, 0.12)
        sun = np.array((1 + warmth, 1.0, 1 - warmth)) * np.exp(rng.normal(0.2, 0.6))
    return Light(direction, sun, np.maximum(sky, 0.05), np.maximum(ground, 0.03))


def _direction(azimuth: float, elevation: float) -> np.ndarray:
    level = np.cos(elevation)
    return np.array(
        (level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation))
    )


def _facing(front: np.ndarray) -> np.ndarray:
    """Rotation about the vertical that takes -y to a direction."""
    return _yaw(np.arctan2(front[1], front[0]) + np.pi / 2)


def _yaw(angle: float) -> np.ndarray:
    return Rotation.from_euler('z', angle).as_matrix()
