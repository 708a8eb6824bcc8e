"""People of a stream: level, on a floor, of a size, with bones and joint angles."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Annotated, Literal

import numpy as np

from mmhot.errors import require_choice
from mmhot.geometry.rotations import (
    quaternions_of,
    rotation_matrices,
    rotation_vectors,
)
from mmhot.io.writers.live_rig import LiveRig, RunningMean
from mmhot.io.writers.rigid_skeleton import RigidMotion
from mmhot.io.writers.rigs import BVH_PROFILES
from mmhot.io.writers.trc import in_y_up
from mmhot.lifting.one_floor import Stance, fit_floor, resting_places
from mmhot.lifting.placement import FLOOR, find_floor
from mmhot.lifting.world import height_over_ankles
from mmhot.options import Option, Options, split_numbers
from mmhot.skeletons.joint_angles import angle_names, joint_angles
from mmhot.skeletons.joints import ANKLE_HEIGHT, get_skeleton
from mmhot.structures.clips_3d import Clip3D, to_axes
from mmhot.structures.conventions import standing_axes

_H36M = get_skeleton('h36m-17')
_ANKLES = _H36M.indices(['left_foot', 'right_foot'])
_LONGEST = 0.2  # seconds that a frame stands for, if others were missed


def _read_tilt(value: float | str) -> float | str:
    """Read 'auto', or degrees."""
    if value == 'auto':
        return value
    [degrees] = split_numbers(value)
    if not -90 <= degrees <= 90:
        raise ValueError
    return degrees


@dataclass(frozen=True)
class LevelSettings:
    """What shows how the camera is tilted, what the floor of a person is, and sizes.

    They were chosen on the demo's clips. From their true keypoints with noise of 3
    pixels, the tilt is within 0.2 degrees of that of the whole clip when it is known.
    """

    # Seconds of people who stand, after which the tilt is known; more is more accurate.
    seconds: float = 3.0
    # Degrees per second by which the world goes to the tilt; a robot's pelvis nods with
    # higher values.
    turn: float = 0.5
    growth: float = 0.02  # logarithm per second by which people go to their size
    floor: float = 2.0  # seconds whose lowest ankle shows the floor of a person
    # Seconds for which the size of people out of view is kept. More takes more memory.
    memory: float = 60.0


@dataclass(frozen=True, kw_only=True)
class PlaceOptions(Options):
    """Options of the world of a stream: its axes, origin and scale."""

    title = 'streams'

    tilt: Annotated[
        float | Literal['auto'],
        'how far the camera looks down, for level bones and world axes; auto: as the '
        'first seconds of people who stand show, slowly after that',
        Option(
            read=_read_tilt,
            expected='auto, or from -90 to 90 degrees',
            metavar='DEGREES',
        ),
    ] = 'auto'
    origin: Annotated[
        Literal['person', 'camera'],
        'origin of bones and world axes on the floor: where the first person starts, '
        'or below the camera',
    ] = 'person'
    height: Annotated[
        float | None,
        'body height, which sets the scale',
        Option(low=0.3, high=3, metavar='METERS'),
    ] = None
    level: LevelSettings = LevelSettings()


@dataclass
class LivePerson:
    """One person in one frame of a stream.

    Attributes:
        track (int): Track ID.
        keypoints_3d (np.ndarray): Human3.6M-17 joints around the root, meters, camera
            axes (x right, y down, z forward), (17, 3).
        root_3d (np.ndarray): Root in camera axes, meters, (3,); NaN if unknown.
        keypoints_2d (np.ndarray): Pixels, (17, 2).
        scores (np.ndarray): Confidence, 0 for joints that were filled in, (17,).
        broken (bool): Whether the track was lost between the last pose and this one.
        places (np.ndarray): Joints in world axes, z up from the floor, meters, (17, 3).
    """

    track: int
    keypoints_3d: np.ndarray
    root_3d: np.ndarray
    keypoints_2d: np.ndarray
    scores: np.ndarray
    broken: bool
    places: np.ndarray
    _time: float = field(repr=False)
    _rest: np.ndarray = field(repr=False)  # offsets of bones with their mean lengths
    _body: '_Body' = field(repr=False)

    def bones(
        self, profile: str = 'lafan1'
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return where the bones are, as :meth:`mmhot.Clip3D.bones`, in this frame.

        Bones have their mean length so far, and the floor is below the lowest foot of
        the last two seconds.

        Returns:
            dict[str, tuple[np.ndarray, np.ndarray]]: Position (3,) in meters, z up, and
            quaternion w, x, y, z (4,) by bone: what GMR's retargeters take. Signs of
            quaternions continue.
        """
        require_choice('profile', profile, tuple(BVH_PROFILES))
        return self._body.rig.place(self._motion, BVH_PROFILES[profile])

    @cached_property
    def _motion(self) -> RigidMotion:
        return self._body.rig.fit(self.places, self._time, self._rest)

    def angles(self) -> dict[str, float]:
        """Return the angles of :meth:`mmhot.Clip3D.angles` in this frame, degrees."""
        return self._body.angles(self.places)


class _Body:
    """What earlier frames showed of a person."""

    def __init__(self) -> None:
        # time, and the lifted ankles, z up (2, 3)
        self.ankles: deque[tuple[float, np.ndarray]] = deque()
        self.size = 1.0  # relative to the lifted one
        self.stance: Stance | None = None  # what showed the size that it goes to
        self.wanted = 1.0
        self.height = RunningMean()
        self.rig = LiveRig()
        self._last: np.ndarray | None = None  # places of the last angles
        self._angles: np.ndarray | None = None

    def see(self, ankles: np.ndarray, time: float, memory: float) -> None:
        """Add ankles (2, 3); forget ankles older than ``memory`` in seconds."""
        self.ankles.append((time, ankles))
        while time - self.ankles[0][0] > memory:
            self.ankles.popleft()

    def speed(self) -> float:
        """Return the mean speed, m/s, which is less in the first second."""
        (start, first), (end, last) = self.ankles[0], self.ankles[-1]
        way = float(np.linalg.norm((last - first).mean(0)))
        return way / max(end - start, 1.0)  # noise is fast between a few frames

    def angles(self, places: np.ndarray) -> dict[str, float]:
        """Return angles of joints (K, 3) by name, which go on from the last ones."""
        last = places if self._last is None else self._last
        both = in_y_up(np.stack([last, places]))
        self._last, self._angles = places, joint_angles(both, self._angles)[-1]
        names = angle_names(len(places))
        return dict(zip(names, self._angles.tolist(), strict=True))


class PeoplePlacer:
    """Place the people of a stream in the world, frame after frame.

    Attributes:
        tilt (float | None): Degrees the camera looks down, as far as poses are turned;
            None until people have stood.
    """

    def __init__(
        self, options: PlaceOptions, say: Callable[[str], None] = lambda line: None
    ) -> None:
        self.options, self._say = options, say
        self.tilt = None if options.tilt == 'auto' else options.tilt
        self._turn = np.eye(3)  # from z-up axes of the camera to the world's
        self._found = self._turn  # the one that people show, to which it goes
        # ankles and axes of people who stood, (3, 3) each
        self._standing: list[np.ndarray] | None = []
        if self.tilt is not None:
            self._turn = rotation_matrices(np.radians([-self.tilt, 0, 0]))
            self._found, self._standing = self._turn, None
        self._stood, self._time = 0.0, 0.0
        self._start: np.ndarray | None = None  # in z-up axes of the camera
        self._bodies: dict[int, _Body] = {}

    def __call__(
        self, clip: Clip3D, returned: frozenset[int], time: float
    ) -> list[LivePerson]:
        """Return the people of a clip of one frame in camera axes."""
        least = time - self.options.level.memory
        known = {x: y for x, y in self._bodies.items() if y.ankles[-1][0] >= least}
        bodies = [known.setdefault(x, _Body()) for x in clip.track.tolist()]
        self._bodies = known
        step, self._time = min(time - self._time, _LONGEST), time
        self._approach(step)
        clip = self._scaled(clip, bodies, time)
        seen = to_axes(clip, 'z-up').places().astype(np.float64)
        for ankles, body in zip(seen[:, _ANKLES], bodies, strict=True):
            body.see(ankles / body.size, time, self.options.level.floor)
            self._measure(body)
        speeds = np.array([body.speed() for body in bodies])
        self._level(seen, clip.scores, speeds, step)
        if self._start is None:
            is_person = self.options.origin == 'person'
            self._start = seen[0, _ANKLES].mean(0) if is_person else np.zeros(3)
        origin, people = self._turn @ self._start, []
        for row, body in enumerate(bodies):
            places, track = seen[row] @ self._turn.T, int(clip.track[row])
            ankles = body.size * np.array([x for _, x in body.ankles])
            lowest = min((ankles @ self._turn[2]).ravel())
            places -= [origin[0], origin[1], lowest - ANKLE_HEIGHT]
            pose, pixels = clip.keypoints_3d[row], clip.keypoints_2d[row]
            arrays = pose, clip.root_3d[row], pixels, clip.scores[row]
            broken, rest = track in returned, body.rig.learn(places, time)
            shown = track, *arrays, broken, places
            people.append(LivePerson(*shown, time, rest, body))
        return people

    def _scaled(self, clip: Clip3D, bodies: list[_Body], time: float) -> Clip3D:
        """Return the clip with people of the stated height, or as the floor shows."""
        poses, root = clip.keypoints_3d.copy(), clip.root_3d.copy()
        for row, body in enumerate(bodies):
            if self.options.height is not None:
                pose = poses[row : row + 1]
                measure = partial(height_over_ankles, pose, _H36M.joints)
                length = self.options.height - ANKLE_HEIGHT
                body.size = length / float(body.height(measure, time))
            poses[row] *= body.size
            root[row] *= body.size
        return replace(clip, keypoints_3d=poses, root_3d=root)

    def _approach(self, step: float) -> None:
        """Go on for seconds to the tilt and sizes that were found."""
        level = self.options.level
        missing = rotation_vectors(quaternions_of(self._found @ self._turn.T))
        angle = float(np.degrees(np.linalg.norm(missing)))
        share = min(1.0, level.turn * step / max(angle, 1e-9))
        self._turn = rotation_matrices(missing * share) @ self._turn
        if self.options.tilt == 'auto' and self._standing is None:
            self.tilt = -float(np.degrees(np.arcsin(self._turn[2, 1])))
        for body in self._bodies.values():
            most = np.exp(level.growth * step)
            body.size *= min(max(body.wanted / body.size, 1 / most), most)

    def _measure(self, body: _Body) -> None:
        """Find the size with which a person stands where those before stand.

        The first one keeps the lifted size, as the scale of a scene is not seen.
        """
        (start, _), (end, _) = body.ankles[0], body.ankles[-1]
        is_done = body.stance is not None or self.options.height is not None
        is_short = end - start < 0.9 * self.options.level.floor
        if is_done or is_short or self._standing is not None:
            return
        seconds, ankles = (np.array(x) for x in zip(*body.ankles, strict=True))
        places = resting_places(ankles, seconds)
        if not len(places):
            return
        body.stance = Stance(places, self._found[2])
        others = [x for x in self._bodies.values() if x.stance and x is not body]
        if not others:
            return
        sizes = {index: other.wanted for index, other in enumerate(others)}
        stances = [other.stance for other in others if other.stance]
        floor = fit_floor([*stances, body.stance], sizes)
        if floor is not None and floor.stands[-1]:
            body.wanted = float(floor.sizes[-1])

    def _level(
        self, seen: np.ndarray, scores: np.ndarray, speeds: np.ndarray, step: float
    ) -> None:
        """Learn the tilt from people (P, 17, 3), z up, of which some may stand.

        The axes of those who run do not count, by their speeds in m/s, (P,). A frame
        stands for a step in seconds.
        """
        ankles, axes = seen[:, _ANKLES], standing_axes(seen)
        stands = np.isfinite(axes).all(1) & (scores[:, _ANKLES] > 0).all(1)
        if self._standing is None or not stands.any():
            return
        axes[speeds > FLOOR.max_walking_speed] = np.nan
        self._standing += [*np.append(ankles, axes[:, None], axis=1)[stands]]
        self._stood += step
        if self._stood < self.options.level.seconds:
            return
        people = np.array(self._standing)
        has_axis = np.isfinite(people[:, 2, 0])
        is_run = has_axis.mean() < 1 - FLOOR.max_running_share
        bodies = people[has_axis & (not is_run), 2]
        lean = FLOOR.running_tilt_error if is_run else FLOOR.body_axis_error
        self._found, _ = find_floor(people[:, :2].reshape(-1, 3), bodies, lean)
        self._standing = None
        tilt = -float(np.degrees(np.arcsin(self._found[2, 1])))
        who = 'feet of people who run' if is_run else 'people who stand'
        text = f'{who} show that the camera looks {"down" if tilt > 0 else "up"} by '
        self._say(f'{text}{abs(tilt):.1f} degrees')
