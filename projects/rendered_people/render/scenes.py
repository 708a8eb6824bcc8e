"""Scenes: people, clothes, objects, background, light and camera."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.spatial.transform import Rotation

from projects.rendered_people.render.backgrounds import BackgroundSampler, sample_light
from projects.rendered_people.render.bodies import Bodies, BodyModel
from projects.rendered_people.render.clothing import ClothingSampler
from projects.rendered_people.render.decoys import DecoySampler
from projects.rendered_people.render.framing import (
    NEAREST,
    FramingShares,
    crop_close,
    look_at,
    position_beside,
    position_in_frame,
    truncate,
    whole_image_frame,
)
from projects.rendered_people.render.furniture import FurnitureSampler
from projects.rendered_people.render.groups import GroupSampler
from projects.rendered_people.render.models import Model, place_model
from projects.rendered_people.render.objects import place_object
from projects.rendered_people.render.people import Person, place_person
from projects.rendered_people.render.renderer import Camera, Scene, Surface
from projects.rendered_people.render.sampling import PoseSampler, at_table

_PADDING = 1.35  # of the box, as in packed people
_FOCAL = 1000.0
# Numbers of other people in crops and whole images, with their probabilities.
_OTHERS = ((0, 0.48), (1, 0.24), (2, 0.14), (3, 0.08), (5, 0.06))
_CROWD = ((0, 0.25), (1, 0.2), (2, 0.2), (4, 0.2), (7, 0.15))
# Minimum distance of people in meters, and trials to reach it.
_MIN_DISTANCE, _TRIES = 0.35, 8
_LENS = 0.3  # minimum distance of people to the camera, meters
# Probability of views from above, and their range in degrees.
_FROM_ABOVE, _FROM_HIGH = (0.08, 25, 70), (0.3, 12, 55)
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
# The number with models, and their share.
_MODELED_OBJECTS, _MODELED = 28, 0.9
_DECOYS, _DECOY_DISTANCE = 3, 1.2  # the same of decoys
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


@dataclass(frozen=True)
class SceneShares:
    """Shares of images, from 0 to 1.

    Attributes:
        framings (FramingShares): Framings of crops and whole images.
        objects (float): Animals, vehicles and other objects; in crops only with models.
        cutouts (float): Backgrounds that are a part of a panorama, enlarged little.
        behind (float): Views of the first person from behind.
        groups (float): First people who touch others; never behind tables.
        decoys (float): Posters, screens, mannequins and statues; in whole images only.
    """

    framings: FramingShares = FramingShares()
    objects: float = 0.0
    cutouts: float = 0.0
    behind: float = 0.0
    groups: float = 0.0
    decoys: float = 0.0


class SceneSampler:
    """Samples shots.

    Args:
        model (BodyModel): Shared data of bodies.
        bodies (Bodies): Body shapes.
        poses (PoseSampler): Poses.
        panoramas (list[np.ndarray]): Linear BGR with a median of 1.
        num_fabrics (int): Number of the renderer's fabrics.
        size (tuple[int, int]): Width and height of renderings in pixels.
        shares (SceneShares, optional): What is in the images. Defaults to people alone.
        models (Sequence[Model]): Models of objects. Defaults to none.
    """

    def __init__(
        self,
        model: BodyModel,
        bodies: Bodies,
        poses: PoseSampler,
        panoramas: list[np.ndarray],
        num_fabrics: int,
        size: tuple[int, int],
        shares: SceneShares | None = None,
        models: Sequence[Model] = (),
    ) -> None:
        self.shares, self.models = shares or SceneShares(), models
        self.model, self.bodies, self.poses = model, bodies, poses
        self.size = size
        self.background = BackgroundSampler(panoramas, self.shares.cutouts)
        self.clothing = ClothingSampler(model, num_fabrics)
        self.furniture = FurnitureSampler(model.bones, num_fabrics, bool(models))
        self.num_fabrics = num_fabrics
        self.group = GroupSampler(model, bodies, poses)
        self.decoy = DecoySampler(model, bodies, poses, self.clothing, num_fabrics)

    def crop(self, rng: np.random.Generator) -> Shot | None:
        """Sample a crop of one person; None if too little is visible."""
        framing = self.shares.framings.sample(rng)
        group = self._first(framing, rng)
        person = group[0]
        center = self._center(person)
        near, far = _DISTANCES.get(framing, (1.6, 11))
        distance = np.exp(rng.uniform(np.log(near), np.log(far)))
        above = _STEEP if framing == 'steep' else _FROM_ABOVE
        rotation, translation = look_at(
            person, center, distance, above, self.shares.behind, rng
        )
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
        others = group[1:] + self._others(
            _OTHERS, lambda: position_beside(camera, rng), group, rng
        )
        people = [person, *(each for each in others if self._is_in_view(each, camera))]
        scene = self._scene(people, person, camera, rng)
        scene.surfaces += table
        if self.models and rng.random() < self.shares.objects:
            scene.surfaces += self._objects(people, camera, frame, distance, rng)
        return Shot(scene, camera, people, frame, center, _SHADOWS)

    def whole_image(self, rng: np.random.Generator) -> Shot | None:
        """Sample a whole image; None if a person is too close to the camera."""
        framing = self.shares.framings.sample(rng)
        frame = whole_image_frame(self.size, rng)
        extent = frame[2:] - frame[:2]
        focal = extent.max() / 2 / np.tan(rng.uniform(*_FIELD) / 2)
        group = self._first(framing, rng)
        person = group[0]
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
        rotation, translation = look_at(
            person, center, distance, above, self.shares.behind, rng
        )
        at = frame[:2] + extent * rng.beta(2, 2, 2)
        intrinsics = np.array((focal, focal, *at))
        camera = Camera(intrinsics, rotation, translation, self.size)

        def place() -> np.ndarray:
            if rng.random() < _GROUPED:
                return position_beside(camera, rng)
            return position_in_frame(camera, frame, distance, rng)

        people = [*group, *self._others(_CROWD, place, group, rng)]
        people = [person for person in people if self._is_in_view(person, camera)]
        if any(self._nearest(person, camera) < _LENS for person in people):
            return None
        if rng.random() < _EMPTY:
            people = []
        scene = self._scene(people, person, camera, rng)
        if framing == 'table':
            scene.surfaces += self.furniture.table(camera, person, rng)[0]
        if self.shares.objects and rng.random() < self.shares.objects:
            scene.surfaces += self._objects(people, camera, frame, distance, rng)
        if self.shares.decoys and rng.random() < self.shares.decoys:
            scene.surfaces += self._decoys(people, camera, frame, distance, rng)
        return Shot(scene, camera, people, frame, center, _WIDE_SHADOWS)

    def _first(self, framing: str, rng: np.random.Generator) -> list[Person]:
        """Sample the first person, or the first person's group."""
        if framing == 'table':
            return [self._person(rng, 1, np.zeros(2), at_table)]
        if self.shares.groups and rng.random() < self.shares.groups:
            return self.group(rng)
        return [self._person(rng, 1, np.zeros(2))]

    def _objects(
        self,
        people: list[Person],
        camera: Camera,
        frame: np.ndarray,
        distance: float,
        rng: np.random.Generator,
    ) -> list[Surface]:
        """Place animals, vehicles and other objects between people."""
        taken, surfaces = [camera.eye[:2], *_spots(people)], []
        sample = partial(position_in_frame, camera, frame, distance, rng)
        most = _MODELED_OBJECTS if self.models else _OBJECTS
        for at in _free_places(sample, taken, _OBJECT_DISTANCE, most, rng):
            if self.models and rng.random() < _MODELED:
                model = self.models[rng.integers(len(self.models))]
                surfaces.append(place_model(at, model, rng))
            else:
                surfaces += place_object(at, self.num_fabrics, rng)
        return surfaces

    def _decoys(
        self,
        people: list[Person],
        camera: Camera,
        frame: np.ndarray,
        distance: float,
        rng: np.random.Generator,
    ) -> list[Surface]:
        """Place posters, screens, mannequins and statues between people."""
        taken, surfaces = [camera.eye[:2], *_spots(people)], []
        sample = partial(position_in_frame, camera, frame, distance, rng)
        for at in _free_places(sample, taken, _DECOY_DISTANCE, _DECOYS, rng):
            towards = camera.eye[:2] - at
            azimuth = np.arctan2(towards[1], towards[0])
            detailed = camera.intrinsics[0] * _FINE > np.linalg.norm(towards)
            surfaces += self.decoy(at, azimuth, detailed, rng)
            taken.append(at)
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
        background, sky, ground = self.background(camera, rng)
        return Scene(sample_light(sky, ground, rng), background, surfaces)

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
        return place_person(self.model, self.bodies, body, pose, turn, at, owner, rng)

    def _others(
        self,
        numbers: tuple[tuple[int, float], ...],
        place: Callable[[], np.ndarray],
        group: list[Person],
        rng: np.random.Generator,
    ) -> list[Person]:
        """Sample people besides a group, at a minimum distance from all others."""
        counts, shares = zip(*numbers, strict=True)
        spots = _spots(group)
        for _ in range(rng.choice(counts, p=shares)):
            for _ in range(_TRIES):
                spot = place()
                if np.linalg.norm(np.array(spots) - spot, axis=1).min() > _MIN_DISTANCE:
                    break
            spots.append(spot)
        first = len(group)
        return [
            self._person(rng, owner, spot)
            for owner, spot in enumerate(spots[first:], first + 1)
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


def _free_places(
    sample: Callable[[], np.ndarray],
    taken: list[np.ndarray],
    apart: float,
    most: int,
    rng: np.random.Generator,
) -> Iterator[np.ndarray]:
    """Sample up to ``most`` places (2,), and yield those ``apart`` from all taken."""
    for _ in range(rng.integers(1, most + 1)):
        at = sample()
        if np.linalg.norm(np.array(taken) - at, axis=1).min() > apart:
            yield at


def _spots(people: list[Person]) -> list[np.ndarray]:
    """Positions on the ground, (2,) each."""
    return [person.posed.heads[0][:2] for person in people]


def _is_large(person: Person, camera: Camera) -> bool:
    away = camera.to_camera(person.posed.heads[0])[2]
    return camera.intrinsics[0] * _FINE > max(away, 0.1)
