"""Scenes: people, clothes, objects, background, light and camera."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from tools.lab.pack_scenery import view
from tools.lab.render_people.bodies import Bodies, BodyModel
from tools.lab.render_people.clothing import ClothingSampler
from tools.lab.render_people.framing import (
    NEAREST,
    FramingShares,
    Person,
    crop_close,
    direction_of,
    look_at,
    position_beside,
    position_in_frame,
    truncate,
    whole_image_frame,
)
from tools.lab.render_people.furniture import FurnitureSampler
from tools.lab.render_people.objects import place_object
from tools.lab.render_people.props import to_linear
from tools.lab.render_people.renderer import Camera, Light, Scene, Surface
from tools.lab.render_people.rigging import PosedBody, pose_body
from tools.lab.render_people.sampling import PoseSampler, at_table

_PADDING = 1.35  # of the box, as in packed people
_FOCAL = 1000.0
# Numbers of other people in crops and whole images, with their probabilities.
_OTHERS = ((0, 0.48), (1, 0.24), (2, 0.14), (3, 0.08), (5, 0.06))
_CROWD = ((0, 0.25), (1, 0.2), (2, 0.2), (4, 0.2), (7, 0.15))
# Minimum distance of people in meters, and trials to reach it.
_MIN_DISTANCE, _TRIES = 0.35, 8
_SUNNY = 0.7
_LENS = 0.3  # minimum distance of people to the camera, meters
# Probability of views from above, and their range in degrees.
_FROM_ABOVE, _FROM_HIGH = (0.08, 25, 70), (0.3, 12, 55)
# Backgrounds: maximum widening of the camera's view, range of focal lengths over the
# image's width; probability, strength and finest size (pixels) of added detail.
_WIDER, _FOCALS = 3.0, (0.35, 2.2)
_DETAILED, _STRENGTH, _FINEST = 0.75, 0.75, 6.0
_BRIGHTEST = 3.0  # times the median
# Range of the enlargement of cutouts, and of their brightness.
_CUTOUTS, _CUTOUT_LIGHT = (1.6, 3.0), (0.15, 0.5)
_GRAY = 0.7  # share of gray in the light of colored backgrounds
_FINE = 0.004  # meters per pixel below which hands and faces are detailed
# Radius of the shadow map in crops and whole images, meters.
_SHADOWS, _WIDE_SHADOWS = 3.0, 7.0
# Whole images: field of view, log range of the first person's height over the image's,
# probabilities of positions beside the first person and of images without people.
_FIELD = np.radians((35, 80))
_PART = np.log((0.16, 1.4))
# The same of upper bodies, and minimum distance of their necks to the camera, meters.
_PARTS, _NECKS = {'table': np.log((0.9, 3.0)), 'close': np.log((1.4, 5.0))}, 0.6
# Maximum number of objects, and minimum distance to people and the camera, meters.
_OBJECTS, _OBJECT_DISTANCE = 7, 0.7
_GROUPED, _EMPTY = 0.4, 0.07
# Distance ranges of other framings in meters; views from above of steep ones; minimum
# number of visible vertices, of every fifth.
_DISTANCES = {'table': (1.0, 5), 'close': (1.0, 5), 'steep': (0.9, 3)}
_STEEP, _MIN_VERTICES = (0.6, 30, 85), 200


@dataclass
class Shot:
    """A scene and its camera.

    Attributes:
        scene (Scene): The scene.
        camera (Camera): Of the rendering.
        people (list[Person]): People in view; the first is the main person of a crop.
        frame (np.ndarray): Frame of the final image in the rendering, which it may
            exceed, x1, y1, x2, y2 pixels.
        focus (np.ndarray): Center of the main person, (3,).
        shadow_radius (float): Radius of the shadow map, meters.
    """

    scene: Scene
    camera: Camera
    people: list[Person]
    frame: np.ndarray
    focus: np.ndarray
    shadow_radius: float


class SceneSampler:
    """Samples shots.

    Args:
        model (BodyModel): Shared data of bodies.
        bodies (Bodies): Body shapes.
        poses (PoseSampler): Poses.
        panoramas (list[np.ndarray]): Linear BGR with a median of 1.
        num_fabrics (int): Number of the renderer's fabrics.
        size (tuple[int, int]): Width and height of renderings in pixels.
        framings (FramingShares): Framings of crops and whole images.
        objects (float): Share of whole images with animals, vehicles and other
            objects. Defaults to 0.
        cutouts (float): Share of images whose background is a part of a panorama,
            enlarged little. Defaults to 0.
    """

    def __init__(
        self,
        model: BodyModel,
        bodies: Bodies,
        poses: PoseSampler,
        panoramas: list[np.ndarray],
        num_fabrics: int,
        size: tuple[int, int],
        framings: FramingShares,
        objects: float = 0.0,
        cutouts: float = 0.0,
    ) -> None:
        self.framings, self.objects, self.cutouts = framings, objects, cutouts
        self.model, self.bodies, self.poses = model, bodies, poses
        self.size = size
        self.panoramas = [(panorama, *_ambient(panorama)) for panorama in panoramas]
        self.clothing = ClothingSampler(model, num_fabrics)
        self.furniture = FurnitureSampler(model.bones, num_fabrics)
        self.num_fabrics = num_fabrics

    def crop(self, rng: np.random.Generator) -> Shot | None:
        """Sample a crop of one person; None if too little is visible."""
        framing = self.framings.sample(rng)
        adapt = at_table if framing == 'table' else None
        person = self._person(rng, 1, np.zeros(2), adapt)
        center = self._center(person)
        near, far = _DISTANCES.get(framing, (1.6, 11))
        distance = np.exp(rng.uniform(np.log(near), np.log(far)))
        above = _STEEP if framing == 'steep' else _FROM_ABOVE
        rotation, translation = look_at(person, center, distance, above, rng)
        camera = Camera(
            np.array((_FOCAL, _FOCAL, 0.0, 0.0)), rotation, translation, self.size
        )
        table, top = [], None
        if framing == 'table':
            table, top = self.furniture.table(camera, person, rng)
        cropped = self._crop(camera, person, rng, framing == 'close', top)
        if cropped is None:
            return None
        camera, frame = cropped
        others = self._others(_OTHERS, lambda: position_beside(camera, rng), rng)
        people = [person, *(each for each in others if self._is_in_view(each, camera))]
        scene = self._scene(people, person, camera, rng)
        scene.surfaces += table
        return Shot(scene, camera, people, frame, center, _SHADOWS)

    def whole_image(self, rng: np.random.Generator) -> Shot | None:
        """Sample a whole image; None if a person is too close to the camera."""
        framing = self.framings.sample(rng)
        frame = whole_image_frame(self.size, rng)
        extent = frame[2:] - frame[:2]
        focal = extent.max() / 2 / np.tan(rng.uniform(*_FIELD) / 2)
        adapt = at_table if framing == 'table' else None
        person = self._person(rng, 1, np.zeros(2), adapt)
        center = self._center(person)
        tall = np.ptp(person.posed.vertices[self.model.skinned], axis=0).max()
        part = np.exp(rng.uniform(*_PARTS.get(framing, _PART)))
        distance = max(focal * tall / (extent[1] * part), NEAREST)
        above = _FROM_HIGH
        if framing in _PARTS:
            center = person.posed.heads[self.model.bones['neck01']]
            distance = max(focal * tall / (extent[1] * part), _NECKS)
            above = _FROM_ABOVE
        elif framing == 'steep':
            distance = rng.uniform(*_DISTANCES['steep'])
            above = _STEEP
        rotation, translation = look_at(person, center, distance, above, rng)
        at = frame[:2] + extent * rng.beta(2, 2, 2)
        intrinsics = np.array((focal, focal, *at))
        camera = Camera(intrinsics, rotation, translation, self.size)

        def place() -> np.ndarray:
            if rng.random() < _GROUPED:
                return position_beside(camera, rng)
            return position_in_frame(camera, frame, distance, rng)

        people = [person, *self._others(_CROWD, place, rng)]
        people = [person for person in people if self._is_in_view(person, camera)]
        if any(self._nearest(person, camera) < _LENS for person in people):
            return None
        if rng.random() < _EMPTY:
            people = []
        scene = self._scene(people, person, camera, rng)
        if framing == 'table':
            scene.surfaces += self.furniture.table(camera, person, rng)[0]
        if self.objects and rng.random() < self.objects:
            scene.surfaces += self._objects(people, camera, frame, distance, rng)
        return Shot(scene, camera, people, frame, center, _WIDE_SHADOWS)

    def _objects(
        self,
        people: list[Person],
        camera: Camera,
        frame: np.ndarray,
        distance: float,
        rng: np.random.Generator,
    ) -> list[Surface]:
        """Place animals, vehicles and other objects between people."""
        roots = [person.posed.heads[0][:2] for person in people]
        taken = np.array([camera.eye[:2], *roots])
        surfaces = []
        for _ in range(rng.integers(1, _OBJECTS + 1)):
            at = position_in_frame(camera, frame, distance, rng)
            if np.linalg.norm(taken - at, axis=1).min() > _OBJECT_DISTANCE:
                surfaces += place_object(at, self.num_fabrics, rng)
        return surfaces

    def _scene(
        self,
        people: list[Person],
        main: Person,
        camera: Camera,
        rng: np.random.Generator,
    ) -> Scene:
        """Dress people, and place objects around the main person."""
        surfaces = []
        for person in people:
            surfaces += self.clothing(
                self.bodies,
                person.body,
                person.posed,
                person.owner,
                _is_large(person, camera),
                rng,
            )
        for person in people:
            if person.seated:
                surfaces += self.furniture.seat(person, rng)
        surfaces += self.furniture.surroundings(camera, main, rng)
        background, sky, ground = self._background(camera, rng)
        return Scene(_light(sky, ground, rng), background, surfaces)

    def _center(self, person: Person) -> np.ndarray:
        return person.posed.vertices[self.model.skinned].mean(0)

    def _nearest(self, person: Person, camera: Camera) -> float:
        points = person.posed.vertices[self.model.skinned[::5]]
        return camera.to_camera(points)[:, 2].min()

    def _person(
        self,
        rng: np.random.Generator,
        owner: int,
        at: np.ndarray,
        adapt: Callable | None = None,
    ) -> Person:
        body = int(rng.integers(len(self.bodies.vertices)))
        pose = self.poses(rng)
        if adapt is not None:
            pose = adapt(pose, rng)
        turn = Rotation.from_euler('z', rng.uniform(-np.pi, np.pi))
        posed = pose_body(self.model, self.bodies, body, pose, rng)
        front = (turn * pose.chest).apply((0, -1, 0)) * (1, 1, 0)
        # the mesh has hidden vertices, some of them lower
        shift = np.append(at, -posed.vertices[self.model.skinned, 2].min())
        root = posed.heads[0] * (1, 1, 0)
        matrix = turn.as_matrix()
        posed = PosedBody(
            rotations=matrix @ posed.rotations,
            heads=(posed.heads - root) @ matrix.T + shift,
            vertices=((posed.vertices - root) @ matrix.T + shift).astype(np.float32),
        )
        front = front / max(np.linalg.norm(front), 1e-6)
        return Person(body, posed, front, pose.seated, owner)

    def _others(
        self,
        numbers: tuple[tuple[int, float], ...],
        place: Callable[[], np.ndarray],
        rng: np.random.Generator,
    ) -> list[Person]:
        """Sample other people, at a minimum distance from each other."""
        counts, shares = zip(*numbers, strict=True)
        spots = [np.zeros(2)]
        for _ in range(rng.choice(counts, p=shares)):
            for _ in range(_TRIES):
                spot = place()
                if np.linalg.norm(np.array(spots) - spot, axis=1).min() > _MIN_DISTANCE:
                    break
            spots.append(spot)
        return [
            self._person(rng, owner, spot) for owner, spot in enumerate(spots[1:], 2)
        ]

    def _is_in_view(self, person: Person, camera: Camera) -> bool:
        pixels = camera.project(person.posed.vertices[self.model.skinned[::50]])
        return bool(((pixels > 0) & (pixels < camera.size)).all(1).any())

    def _crop(
        self,
        camera: Camera,
        person: Person,
        rng: np.random.Generator,
        close: bool = False,
        top: float | None = None,
    ) -> tuple[Camera, np.ndarray] | None:
        """Sample a frame, and fit the camera to the visible part of a person.

        Args:
            camera (Camera): Aimed at the person.
            person (Person): The person.
            rng (np.random.Generator): Random numbers.
            close (bool): Whether the frame shows the upper body only.
            top (float, optional): Row below which a table occludes the person.
        """
        if self._nearest(person, camera) < _LENS:
            return None
        pixels = camera.project(person.posed.vertices[self.model.skinned[::5]])
        box = np.concatenate([pixels.min(0), pixels.max(0)])
        visible, frame = crop_close(box, rng) if close else truncate(box, rng)
        low, high = frame[:2], frame[2:].copy()
        if top is not None:
            high[1] = min(high[1], top)
        if close or top is not None:
            inside = pixels[((pixels > low) & (pixels < high)).all(1)]
            if len(inside) < _MIN_VERTICES:
                return None
            visible = np.concatenate([inside.min(0), inside.max(0)])
        width, height = self.size
        center = (visible[:2] + visible[2:]) / 2
        spans = (visible[2:] - visible[:2]) / (width, height)
        scale = 1 / (spans.max() * _PADDING)
        intrinsics = np.append(
            np.full(2, _FOCAL * scale), np.array((width, height)) / 2 - center * scale
        )
        frame = (frame - np.tile(center, 2)) * scale + np.tile((width, height), 2) / 2
        return replace(camera, intrinsics=intrinsics), frame

    def _background(
        self, camera: Camera, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sample a background, with the light from above and below."""
        width, height = self.size
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


def _is_large(person: Person, camera: Camera) -> bool:
    away = camera.to_camera(person.posed.heads[0])[2]
    return camera.intrinsics[0] * _FINE > max(away, 0.1)


def _light(sky: np.ndarray, ground: np.ndarray, rng: np.random.Generator) -> Light:
    elevation = np.arcsin(rng.uniform(0.15, 1))
    azimuth = rng.uniform(-np.pi, np.pi)
    direction = direction_of(azimuth, elevation)
    sun = np.zeros(3)
    if rng.random() < _SUNNY:
        warmth = rng.normal(0, 0.12)
        sun = np.array((1 + warmth, 1.0, 1 - warmth)) * np.exp(rng.normal(0.2, 0.6))
    return Light(direction, sun, np.maximum(sky, 0.05), np.maximum(ground, 0.03))
