"""Render short videos of people with their ground truth in 2D and 3D.

Each clip has its video NAME.mp4; NAME.npz, the keypoints of all people frame by frame;
and NAME_1.npz, NAME_2.npz and so on, the ground truth of each person as in ``demo/``.

Example::

    python -m projects.rendered_people.render.clips data/clips \
        --motions data/cmu_mocap/*.npz --panoramas pmndrs-assets-1.7.0.tgz
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation, Slerp

from mmhot.chain.visualization.video import write_video
from projects.rendered_people.commands import run_command
from projects.rendered_people.files import replacing
from projects.rendered_people.pack_scenery import read_panoramas
from projects.rendered_people.render.backgrounds import sample_light
from projects.rendered_people.render.bodies import (
    BodyModel,
    build_anny,
    read_body_model,
    sample_bodies,
)
from projects.rendered_people.render.framing import direction_of, position_in_frame
from projects.rendered_people.render.labels import Label, label_person
from projects.rendered_people.render.objects import place_object
from projects.rendered_people.render.people import Person
from projects.rendered_people.render.poses import (
    LIMBS,
    Pose,
    heading,
    knee_excess,
    pose_from_joints,
    rotate_pose,
    trunk_pitch,
    unit,
)
from projects.rendered_people.render.postures import sample_posture
from projects.rendered_people.render.props import sample_fabrics, to_srgb
from projects.rendered_people.render.renderer import (
    Camera,
    Renderer,
    Scene,
    Surface,
)
from projects.rendered_people.render.rigging import PosedBody, pose_body
from projects.rendered_people.render.sampling import PoseSampler, lie, seat
from projects.rendered_people.render.scenes import SceneSampler
from projects.rendered_people.render.shards import read_motions

_MOTION_RATE = 50
_SUPERSAMPLING = 1.5
_FOCAL = 0.9  # over the image's width
_BODIES = 48
_FABRICS = 60
_APART = 2.0  # meters from people to objects; cars are long
_MIN_VISIBLE = 8  # keypoints; people with fewer are not listed in NAME.npz
_SMOOTH = 3  # frames; deviation of the filter of the height of people on the floor
# Bones of the rig whose heads are joints of Human3.6M.
_LEG = ('upperleg01', 'lowerleg01', 'foot')
_ARM = ('upperarm01', 'lowerarm01', 'wrist')


@dataclass(frozen=True)
class Actor:
    """A person of a clip.

    Attributes:
        motion (str): Clip of motion capture.
        start (float): Its first second.
        at (tuple[float, float]): Position on the ground in the middle of the clip,
            meters.
        facing (float): Heading in the middle of the clip, degrees; 0 is towards -y.
        postures (tuple[str]): Postures to take one after another, 'seated' or 'lying';
            none to move as in motion capture.
    """

    motion: str
    start: float = 0.0
    at: tuple[float, float] = (0.0, 0.0)
    facing: float = 0.0
    postures: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClipPlan:
    """A clip: people, and a camera at an azimuth, 0 is in front of heading 0.

    Attributes:
        actors (tuple[Actor]): The people.
        azimuth (float): Of the camera, degrees.
        elevation (float): Of the camera, degrees.
        margin (float): Distance of the camera, as a multiple of the distance at which
            all people are in the image; below 1 some are cut by the border.
        objects (int): Objects behind the people, those of free places; 0 where the
            camera looks down, and cars would hide people.
    """

    actors: tuple[Actor, ...]
    azimuth: float = 0.0
    elevation: float = 6.0
    margin: float = 1.1
    objects: int = 12


PLANS = {
    'walkers': ClipPlan(
        (
            Actor('S08/08_04', 0.4, (0, 0), 90),
            Actor('S07/07_05', 0.5, (0.3, 1.0), -90),
            Actor('S39/39_02', 0, (-0.5, 2.2), 60),
        )
    ),
    'turn': ClipPlan(
        (Actor('S16/16_19', 0.2), Actor('S16/16_17', 1, (1.6, 1.2), 180)), 20
    ),
    'side_run': ClipPlan((Actor('S127/127_18', 0.1, (0, 0), 90),), 0, 3, 1.0),
    'dance': ClipPlan((Actor('S05/05_13', 3), Actor('S05/05_07', 2, (1.8, 0.8))), -15),
    'salsa': ClipPlan(
        (Actor('S60/60_07_p0', 5), Actor('S61/61_04_p0', 5, (0.9, 0.1), 180)), 30
    ),
    'basketball': ClipPlan(
        (Actor('S06/06_13', 12), Actor('S06/06_11', 2, (-1.7, 1.5), 90)), 40, 12
    ),
    'kick': ClipPlan((Actor('S11/11_01', 0.5),), 50),
    'golf': ClipPlan((Actor('S64/64_06', 0.6),), 75, 4, 1.0),
    'cartwheel': ClipPlan(
        (Actor('S49/49_07', 0.5), Actor('S29/29_09', 4, (2, 1), -20)), 60, 8
    ),
    'chairs': ClipPlan(
        (
            Actor('S29/29_08', 3, (0, 0), 0, ('seated',)),
            Actor('S29/29_03', 8, (1.1, 0.2), -30, ('seated',)),
        ),
        25,
        10,
    ),
    'floor': ClipPlan(
        (
            Actor('S29/29_04', 6, (0, 0), 20, ('legs crossed',)),
            Actor('S29/29_05', 3, (1.3, 0.3), -40, ('on the heels',)),
            Actor('S29/29_09', 10, (-1.3, 0.5), 60, ('legs ahead',)),
        ),
        0,
        20,
        objects=0,
    ),
    'yoga': ClipPlan(
        (
            Actor(
                'S29/29_04', 2, (0, 0), 90, ('downward dog', 'plank', 'cobra', 'child')
            ),
        ),
        10,
        12,
    ),
    'stretching': ClipPlan(
        (
            Actor('S29/29_08', 8, (0, 0), 0, ('warrior', 'triangle', 'low lunge')),
            Actor('S14/14_20', 1, (1.9, 0.6), 10),
        ),
        -30,
    ),
    'lying': ClipPlan(
        (Actor('S29/29_03', 2, (0, 0), 70, ('lying',)),), 0, 35, objects=0
    ),
    'close': ClipPlan(
        (Actor('S29/29_05', 12), Actor('S14/14_20', 3, (0.8, 0.7), 15)), 15, 4, 0.55
    ),
}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('target', type=Path, help='folder of the clips to write')
    parser.add_argument(
        '--motions',
        type=Path,
        nargs='+',
        required=True,
        help=".npz of CMU's motion capture, both files of docs/data.md",
    )
    parser.add_argument('--panoramas', type=Path, help='as of render (default: colors)')
    parser.add_argument(
        '--clips', nargs='+', choices=PLANS, default=list(PLANS), metavar='NAME'
    )
    parser.add_argument('--size', type=int, nargs=2, default=(640, 360))
    parser.add_argument('--fps', type=float, default=30.0, help='(default: 30)')
    parser.add_argument('--seconds', type=float, default=3.0, help='(default: 3)')
    parser.add_argument('--seed', type=int, default=0, help='(default: 0)')
    return parser.parse_args()


@dataclass
class _Settings:
    """Size, rate, length and seed of all clips."""

    size: tuple[int, int]
    fps: float
    frames: int
    seed: int


class ClipRenderer:
    """Renders clips with the assets of rendered people.

    Args:
        motions (dict[str, np.ndarray]): Clips of motion capture.
        panoramas (list[np.ndarray]): Linear BGR with a median of 1.
        settings (_Settings): Of all clips.
    """

    def __init__(
        self,
        motions: dict[str, np.ndarray],
        panoramas: list[np.ndarray],
        settings: _Settings,
    ) -> None:
        self.motions = motions
        self.settings = settings
        anny = build_anny()
        self.model = read_body_model(anny)
        self.bodies = sample_bodies(anny, _BODIES, settings.seed)
        rng = np.random.default_rng(settings.seed)
        prints = [to_srgb(panorama / 2) for panorama in panoramas]
        size = tuple(round(side * _SUPERSAMPLING) for side in settings.size)
        self.renderer = Renderer(size, sample_fabrics(_FABRICS, prints, rng))
        some = dict(list(motions.items())[:1])
        self.scenes = SceneSampler(
            self.model, self.bodies, PoseSampler(some), panoramas, _FABRICS, size
        )

    def __call__(self, name: str, folder: Path) -> None:
        """Render a clip; the ground truth of the people is written last."""
        plan = PLANS[name]
        rng = np.random.default_rng([self.settings.seed, *name.encode()])
        bodies = rng.choice(len(self.bodies.vertices), len(plan.actors), replace=False)
        people = [
            list(self._move(actor, int(body), owner))
            for owner, (actor, body) in enumerate(
                zip(plan.actors, bodies, strict=True), 1
            )
        ]
        camera = self._camera(plan, people)
        labels: list[list[Label | None]] = []
        images = self._render(people, camera, plan.objects, labels, rng)
        fps = self.settings.fps
        frames = ((image, n / fps) for n, image in enumerate(images))
        write_video(folder / f'{name}.mp4', frames, fps)
        view = _View(camera, self.settings)
        write_arrays(folder / f'{name}.npz', **reference(view, labels))
        for number, (actor, person) in enumerate(zip(plan.actors, people, strict=True)):
            own = [frame[number] for frame in labels]
            truth = ground_truth(self.model, view, person, own)
            source = np.array(actor.motion)
            write_arrays(folder / f'{name}_{number + 1}.npz', **truth, source=source)

    def _move(self, actor: Actor, body: int, owner: int) -> Iterator[Person]:
        """Pose a person in each frame."""
        poses, roots = self._poses(actor)
        posed = []
        for pose in poses:
            # the same random hands and feet in all frames
            rng = np.random.default_rng([self.settings.seed, owner])
            posed.append(pose_body(self.model, self.bodies, body, pose, rng))
        low = np.array([x.vertices[self.model.skinned, 2].min() for x in posed])
        if actor.postures:
            heights = -gaussian_filter1d(low, _SMOOTH, mode='nearest')
            path = np.zeros((len(low), 2))
        else:
            scale = self._leg_length(body) / _leg_length(self.motions[actor.motion])
            path = scale * roots[:, :2]
            heights = scale * roots[:, 2] - np.array([x.heads[0, 2] for x in posed])
            heights = heights - np.percentile(heights + low, 5)
        path = path - path[len(path) // 2] + actor.at
        for each, pose, spot, height in zip(posed, poses, path, heights, strict=True):
            shift = np.append(spot - each.heads[0, :2], height)
            front = pose.chest.apply((0, -1, 0)) * (1, 1, 0)
            moved = PosedBody(
                each.rotations,
                each.heads + shift,
                (each.vertices + shift).astype(np.float32),
            )
            yield Person(body, moved, unit(front), pose.seated, owner)

    def _poses(self, actor: Actor) -> tuple[list[Pose], np.ndarray]:
        """Poses of all frames, and roots of the motion capture, (T, 3)."""
        clip = self.motions[actor.motion].astype(float)
        constants = (*trunk_pitch(clip), knee_excess(clip))
        times = actor.start + np.arange(self.settings.frames) / self.settings.fps
        at = np.minimum(times * _MOTION_RATE, len(clip) - 1)
        before = np.minimum(at.astype(int), len(clip) - 2)
        share = (at - before)[:, None, None]
        joints = (1 - share) * clip[before] + share * clip[before + 1]
        poses = [pose_from_joints(each, constants) for each in joints]
        middle = heading(poses[len(poses) // 2].pelvis)
        turn = Rotation.from_euler('z', actor.facing, degrees=True) * middle.inv()
        if actor.postures:
            poses = [rotate_pose(x, heading(x.pelvis).inv(), False) for x in poses]
            poses = [self._in_posture(actor, *each) for each in enumerate(poses)]
            turn = Rotation.from_euler('z', actor.facing, degrees=True)
        poses = [rotate_pose(pose, turn, keep_legs=False) for pose in poses]
        return poses, turn.apply(joints[:, 0])

    def _in_posture(self, actor: Actor, frame: int, pose: Pose) -> Pose:
        """Change a pose to the frame's posture, or between two postures."""
        last = len(actor.postures) - 1
        at = last * frame / max(self.settings.frames - 1, 1)
        first = min(int(at), max(last - 1, 0))
        pair = [
            _change(name)(pose, np.random.default_rng([self.settings.seed, number]))
            for number, name in enumerate(actor.postures[first : first + 2], first)
        ]
        share = at - first
        return blend(pair[0], pair[-1], share * share * (3 - 2 * share))

    def _leg_length(self, body: int) -> float:
        heads = self.bodies.heads[body]
        leg = heads[[self.model.bones[f'{bone}.L'] for bone in _LEG]]
        return float(np.linalg.norm(np.diff(leg, axis=0), axis=1).sum())

    def _camera(self, plan: ClipPlan, people: list[list[Person]]) -> Camera:
        """Aim a still camera at all people of all frames."""
        size = np.array(self.scenes.size)
        points = np.concatenate(
            [
                x.posed.vertices[self.model.skinned[::40]]
                for each in people
                for x in each[::5]
            ]
        )
        center = (points.min(0) + points.max(0)) / 2
        azimuth, elevation = np.radians((plan.azimuth - 90, plan.elevation))
        towards = direction_of(azimuth, elevation)
        aside = unit(np.cross(-towards, (0, 0, 1.0)))
        rotation = np.stack([aside, np.cross(-towards, aside), -towards])
        intrinsics = np.append(np.full(2, _FOCAL * size[0]), size / 2)

        def camera(distance: float) -> Camera:
            eye = center + distance * towards
            return Camera(intrinsics, rotation, -rotation @ eye, tuple(size))

        distance = 1.0
        while not _in_view(camera(distance), points):
            distance *= 1.05
        return camera(distance * plan.margin)

    def _render(
        self,
        people: list[list[Person]],
        camera: Camera,
        count: int,
        labels: list[list[Label | None]],
        rng: np.random.Generator,
    ) -> Iterator[np.ndarray]:
        """Render all frames with a count of objects, BGR; append the labels of each."""
        middle = len(people[0]) // 2
        furniture = self.scenes.furniture
        still = [furniture.floor(rng), *self._objects(people, camera, count, rng)]
        for each in people:
            if each[middle].seated:
                still += furniture.seat(each[middle], rng)
        background, sky, ground = self.scenes.background(camera, rng)
        light = sample_light(sky, ground, rng)
        seeds = rng.integers(2**32, size=len(people))
        frame = np.array((0, 0, *camera.size))
        gain = None
        for now in zip(*people, strict=True):
            surfaces = list(still)
            for person, seed in zip(now, seeds, strict=True):
                dress = np.random.default_rng(seed)
                surfaces += self.scenes.clothing(
                    self.bodies, person.body, person.posed, person.owner, True, dress
                )
            focus = np.mean([x.posed.heads[0] for x in now], axis=0)
            scene = Scene(light, background, surfaces)
            image, depth, owners = self.renderer(scene, camera, focus, 5.0)
            labels.append(
                [label_person(self.model, x, camera, frame, depth, owners) for x in now]
            )
            if gain is None:
                gain = 0.8 / max(np.percentile(image.mean(-1), 90), 1e-3)
            small = cv2.resize(
                to_srgb(image * gain), self.settings.size, interpolation=cv2.INTER_AREA
            )
            yield np.ascontiguousarray(small[..., ::-1])

    def _objects(
        self,
        people: list[list[Person]],
        camera: Camera,
        count: int,
        rng: np.random.Generator,
    ) -> list[Surface]:
        """Place objects behind the people of all frames, and away from them."""
        paths = [x.posed.heads[0, :2] for each in people for x in each[::5]]
        eye = camera.eye[:2]
        distance = np.linalg.norm(paths - eye, axis=1).mean()
        frame = np.array((0, 0, *camera.size))
        surfaces = []
        for _ in range(count):
            at = position_in_frame(camera, frame, distance, rng)
            is_behind = np.linalg.norm(at - eye) > distance + _APART
            if is_behind and np.linalg.norm(paths - at, axis=1).min() > _APART:
                surfaces += place_object(at, _FABRICS, rng)
        return surfaces


@dataclass
class _View:
    """The camera of a rendering, and what is written of it."""

    camera: Camera
    settings: _Settings

    @property
    def scale(self) -> np.ndarray:
        """Pixels of the video over pixels of the rendering, (2,)."""
        return np.array(self.settings.size) / self.camera.size

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Convert the rendering's pixels; centers are integers in the video."""
        return (points * self.scale - 0.5).astype(np.float32)

    def as_arrays(self) -> dict[str, np.ndarray]:
        """The camera as in ``demo/``."""
        fx, fy, cx, cy = self.camera.intrinsics * np.tile(self.scale, 2)
        width, height = self.settings.size
        return dict(
            K=np.array(((fx, 0, cx - 0.5), (0, fy, cy - 0.5), (0, 0, 1))),
            R_world_to_cam=self.camera.rotation,
            cam_center=self.camera.eye,
            fps=np.array(self.settings.fps),
            width=np.array(width),
            height=np.array(height),
        )


def reference(view: _View, labels: list[list[Label | None]]) -> dict[str, np.ndarray]:
    """Keypoints of all people who can be seen, frame by frame.

    Returns:
        dict[str, np.ndarray]: ``frame`` (N,), ``person`` (N,) from 1, ``keypoints``
        (N, 17, 2) in COCO's order and pixels, NaN outside of the image, ``confirmed``
        (N,), all true.
    """
    frames: list[int] = []
    numbers: list[int] = []
    keypoints: list[np.ndarray] = []
    for frame, people in enumerate(labels):
        for number, label in enumerate(people, 1):
            if label is None or (label.visibility[:17] == 2).sum() < _MIN_VISIBLE:
                continue
            inside = label.visibility[:17, None] > 0
            points = np.where(inside, view.pixels(label.keypoints[:17]), np.nan)
            frames.append(frame)
            numbers.append(number)
            keypoints.append(points)
    return dict(
        frame=np.array(frames),
        person=np.array(numbers),
        keypoints=np.array(keypoints, np.float32).reshape(-1, 17, 2),
        confirmed=np.ones(len(frames), bool),
    )


def ground_truth(
    model: BodyModel, view: _View, people: list[Person], labels: list[Label | None]
) -> dict[str, np.ndarray]:
    """Ground truth of one person, with the arrays of the files in ``demo/``.

    Args:
        model (BodyModel): Shared data of bodies.
        view (_View): The camera.
        people (list[Person]): The person in each frame.
        labels (list[Label | None]): Labels in each frame, None if nothing is visible;
            then the box is NaN.
    """
    camera = view.camera
    joints = np.stack([_h36m_joints(model, person.posed) for person in people])
    whole = np.stack([model.regressor @ person.posed.vertices for person in people])
    boxes: list[np.ndarray] = []
    visibility: list[np.ndarray] = []
    for label in labels:
        unseen = label is None
        boxes.append(np.full(4, np.nan) if unseen else label.bbox)
        visibility.append(np.zeros(133, np.uint8) if unseen else label.visibility)
    pixels = view.pixels(camera.project(whole))
    arrays = dict(
        keypoints_2d=pixels[:, :17],
        wholebody_2d=pixels,
        h36m_2d=view.pixels(camera.project(joints)),
        h36m_cam3d=camera.to_camera(joints),
        h36m_world3d=joints,
        coco_cam3d=camera.to_camera(whole[:, :17]),
        bbox_xyxy=np.array(boxes) * np.tile(view.scale, 2),
    )
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    return arrays | dict(visibility=np.stack(visibility)) | view.as_arrays()


def blend(one: Pose, other: Pose, share: float) -> Pose:
    """Interpolate between two poses; 0 is the first, 1 the second."""
    if share == 0:
        return one
    rotations = {
        name: Slerp(
            [0, 1], Rotation.concatenate([getattr(one, name), getattr(other, name)])
        )(share)
        for name in ('pelvis', 'chest', 'head')
    }
    limbs = {
        name: unit((1 - share) * one.limbs[name] + share * other.limbs[name])
        for name in LIMBS
    }
    return replace(one, **rotations, limbs=limbs)


def write_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Write an .npz file."""
    with replacing(path) as temporary, temporary.open('wb') as file:
        np.savez_compressed(file, **arrays)


def _change(posture: str) -> Callable[[Pose, np.random.Generator], Pose]:
    """The function that brings a pose into a posture."""
    if posture == 'seated':
        return seat
    return lie if posture == 'lying' else partial(sample_posture, name=posture)


def _h36m_joints(model: BodyModel, posed: PosedBody) -> np.ndarray:
    """Human3.6M's joints from bones of the rig, (17, 3)."""

    def heads(bones: tuple[str, ...], side: str) -> np.ndarray:
        return posed.heads[[model.bones[f'{bone}.{side}'] for bone in bones]]

    right_leg, left_leg = heads(_LEG, 'R'), heads(_LEG, 'L')
    root = (right_leg[0] + left_leg[0]) / 2
    spine, neck, skull = (
        posed.heads[model.bones[x]] for x in ('spine03', 'neck01', 'head')
    )
    nose = model.regressor[0] @ posed.vertices
    top = posed.vertices[model.skinned[model.template[model.skinned, 2].argmax()]]
    middle = [spine, neck, (nose.ravel() + skull) / 2, top]
    return np.concatenate(
        [[root], right_leg, left_leg, middle, heads(_ARM, 'L'), heads(_ARM, 'R')]
    )


def _leg_length(clip: np.ndarray) -> float:
    """Length of the left leg of Human3.6M's joints (T, 17, 3)."""
    return float(np.linalg.norm(np.diff(clip[0, 4:7], axis=0), axis=1).sum())


def _in_view(camera: Camera, points: np.ndarray) -> bool:
    if camera.to_camera(points)[:, 2].min() < 0.5:
        return False
    pixels = camera.project(points)
    return bool(((pixels > 0) & (pixels < camera.size)).all())


def run(args: argparse.Namespace) -> None:
    """Render the clips that are missing."""
    motions = {}
    for path in args.motions:
        motions |= read_motions(path)
    for name in args.clips:
        for actor in PLANS[name].actors:
            if actor.motion not in motions:
                raise ValueError(f'--motions: no clip is {actor.motion}')
    panoramas = list(read_panoramas(args.panoramas).values()) if args.panoramas else []
    frames = round(args.seconds * args.fps)
    if frames < 1:
        raise ValueError(f'--seconds must be positive, got {args.seconds:g}')
    args.target.mkdir(parents=True, exist_ok=True)
    missing = [x for x in args.clips if not (args.target / f'{x}_1.npz').exists()]
    if missing:
        settings = _Settings(tuple(args.size), args.fps, frames, args.seed)
        render = ClipRenderer(motions, panoramas, settings)
        for name in missing:
            render(name, args.target)
            print(f'{args.target / name}.mp4: {frames} frames', flush=True)


def main() -> None:
    """Run the tool."""
    args = parse_args()
    run_command(lambda: run(args))


if __name__ == '__main__':
    main()
