"""People of a stream: level, on a floor, of a size, with bones and joint angles."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Annotated, Literal

import numpy as np

from mmhot.chain.lifting.placement import FLOOR, find_floor
from mmhot.chain.lifting.world import height_over_ankles
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
from mmhot.options import Option, Options, split_numbers
from mmhot.skeletons.joint_angles import angle_names, joint_angles
from mmhot.skeletons.joints import ANKLE_HEIGHT, get_skeleton
from mmhot.structures.clips_3d import Clip3D, to_axes
from mmhot.structures.conventions import standing_axes

_H36M = get_skeleton('h36m-17')
_ANKLES = _H36M.indices(['left_foot', 'right_foot'])
# Seconds that a frame stands for at most, if others were missed. 0.5 to 10 of it are
# equal at 25 frames/s.
_MAX_STEP = 0.2


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
    """Evidence of the camera's tilt and of floors, and how fast it acts.

    The values were chosen on the demo's clips. From their true keypoints with noise of
    3 pixels, the tilt is within 0.2 degrees of the tilt that the whole clip shows.
    """

    # Seconds with people who stand, after which the tilt is known. On nine streams of
    # CMU's motions, half of it has a 3 % larger error of the tilt.
    standing_seconds: float = 3.0
    # Degrees per second by which the world turns to the tilt that is found, after the
    # first frame: a robot's pelvis nods by as much. With half of it the tilt is 7 %
    # farther off after five seconds, with double 12 % nearer.
    max_turn: float = 0.5
    # Seconds of a person's ankles; the lowest one is on the floor. With half of it
    # heights there are 20 % nearer, but the floor follows jumps; with double 2 %
    # farther.
    floor_seconds: float = 2.0
    # Seconds for which people out of view keep their size and bones, which bounds the
    # memory. 0.5 to 10 of it are equal for people who stay in view.
    memory_seconds: float = 60.0


@dataclass(frozen=True, kw_only=True)
class PlaceOptions(Options):
    """Options of the world of a stream: its axes, origin and scale."""

    title = 'streams'

    tilt: Annotated[
        float | Literal['auto'],
        'how far the camera looks down, for level bones and world axes; auto: found '
        'from the first frame and seconds of people who stand, and approached slowly',
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
    """One person in one frame of a stream, see :func:`mmhot.stream`.

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
    _body: 'Body' = field(repr=False)

    def bones(
        self, profile: str = 'lafan1'
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return where the bones are, as :meth:`mmhot.Clip3D.bones`, in this frame.

        Bones have their mean length so far, and the floor is below the lowest foot of
        the last two seconds.

        Args:
            profile (str): Names and rest axes of the bones: ``'default'``,
                ``'lafan1'`` or ``'mixamo'``. Defaults to ``'lafan1'``.

        Returns:
            dict[str, tuple[np.ndarray, np.ndarray]]: Position (3,) in meters, z up, and
            quaternion w, x, y, z (4,) of each bone by name, as GMR's retargeters expect
            them. Signs of quaternions do not jump from frame to frame.

        Raises:
            ValueError: If there is no profile of that name.

        Example::

            place, quaternion = person.bones('lafan1')['Hips']
        """
        require_choice('profile', profile, tuple(BVH_PROFILES))
        return self._body.rig.place(self._motion, BVH_PROFILES[profile])

    @cached_property
    def _motion(self) -> RigidMotion:
        """Joint rotations of this frame, fitted when they are first needed."""
        return self._body.rig.fit(self.places, self._time, self._rest)

    def angles(self) -> dict[str, float]:
        """Return joint angles in degrees by name, as :meth:`mmhot.Clip3D.angles`.

        Example::

            person.angles()['knee_angle_l']
        """
        return self._body.angles(self.places)


class Level:
    """Rotation that levels the poses of a camera, stated or found from standing people.

    While people stand, their ankles and body axes are collected, and one floor is
    fitted, see :func:`mmhot.chain.lifting.placement.find_floor`. It is found after some
    seconds of them. What the first frame shows acts at once; later poses turn to the
    floor slowly, so that no robot's pelvis nods.

    A camera that looks down by 30 degrees sees a point 2 m straight ahead. In world
    axes (x right, y away, z up) it is 1 m below the camera::

        >>> level = Level(30.0, LevelSettings(), print)
        >>> (level.rotation @ [0, 2, 0]).round(2).tolist()
        [0.0, 1.73, -1.0]

    Args:
        tilt (float | Literal['auto']): Degrees the camera looks down, or ``'auto'``.
        settings (LevelSettings): How much evidence is needed, and how fast it acts.
        say (Callable): Receives a line when the tilt is found.

    Attributes:
        rotation (np.ndarray): Rotation from z-up axes of the camera to world axes, as
            it acts now, (3, 3).
        target (np.ndarray): Rotation that was stated, or fits best so far, (3, 3).
        tilt (float | None): Degrees the camera looks down by ``rotation``; None while
            it was not stated, and no one stood.
        is_known (bool): Whether the tilt is stated or found.
    """

    def __init__(
        self, tilt: float | str, settings: LevelSettings, say: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._say = say
        self._is_stated = tilt != 'auto'
        self.tilt = float(tilt) if self._is_stated else None
        self.is_known = self._is_stated
        self.rotation = rotation_matrices(np.radians([-(self.tilt or 0.0), 0, 0]))
        self.target = self.rotation
        # Ankles (2, 3) and axis (3,) of each person who stood; axes of runners are NaN.
        self._ankles: list[np.ndarray] = []
        self._axes: list[np.ndarray] = []
        self._seconds = 0.0  # duration of these frames

    def learn(
        self, joints: np.ndarray, scores: np.ndarray, speeds: np.ndarray, step: float
    ) -> None:
        """Learn the tilt from the people of a frame; some of them may stand.

        Args:
            joints (np.ndarray): Human3.6M's joints in z-up axes of the camera, meters,
                (P, 17, 3).
            scores (np.ndarray): Confidence, 0 for joints that were filled in, (P, 17).
            speeds (np.ndarray): Speeds, m/s, (P,). Axes of people who run do not count.
            step (float): Duration of the frame in seconds.
        """
        axes = standing_axes(joints)
        has_feet = (scores[:, _ANKLES] > 0).all(1)
        stands = np.isfinite(axes).all(1) & has_feet
        if self.is_known or not stands.any():
            return
        axes[speeds > FLOOR.max_walking_speed] = np.nan
        self._ankles += [*joints[stands][:, _ANKLES]]
        self._axes += [*axes[stands]]
        self._seconds += step
        evidence = self._fit()
        self.is_known = self._seconds >= self._settings.standing_seconds
        if self.is_known:
            tilt = _tilt_of(self.target)
            way = 'down' if tilt > 0 else 'up'
            self._say(
                f'{evidence} show that the camera looks {way} by {abs(tilt):.1f} '
                'degrees'
            )

    def _fit(self) -> str:
        """Fit the floor of the people who stood; return what shows it."""
        axes = np.array(self._axes)
        upright = axes[np.isfinite(axes).all(1)]
        evidence = 'people who stand'
        lean = FLOOR.body_axis_error
        if len(upright) / len(axes) < 1 - FLOOR.max_running_share:
            evidence = 'feet of people who run'
            lean = FLOOR.running_tilt_error
            upright = upright[:0]
        ankles = np.concatenate(self._ankles)
        self.target, _ = find_floor(ankles, upright, lean)
        return evidence

    def approach(self, step: float) -> None:
        """Turn toward the tilt that people showed so far, for a step in seconds."""
        if self._is_stated or not self._axes:
            return
        missing = rotation_vectors(quaternions_of(self.target @ self.rotation.T))
        angle = float(np.degrees(np.linalg.norm(missing)))
        share = min(1.0, self._settings.max_turn * step / max(angle, 1e-9))
        self.rotation = rotation_matrices(missing * share) @ self.rotation
        self.tilt = _tilt_of(self.rotation)


def _tilt_of(rotation: np.ndarray) -> float:
    """Return the degrees that a camera looks down, by its leveling rotation (3, 3)."""
    return -float(np.degrees(np.arcsin(rotation[2, 1])))


class Body:
    """Size, bones and recent ankles of a person, learned from frame after frame.

    Attributes:
        size (float): Size relative to the lifted one.
        rig (LiveRig): Bone lengths and rotations.
    """

    def __init__(self) -> None:
        self.size = 1.0
        self.rig = LiveRig()
        self._height = RunningMean()  # from the ankles up, as lifted, meters
        # Times, and ankles (2, 3) of the lifted size, in z-up axes of the camera
        self._ankles: deque[tuple[float, np.ndarray]] = deque()
        self._last: np.ndarray | None = None  # places of the last angles
        self._angles: np.ndarray | None = None

    def see(self, ankles: np.ndarray, time: float, memory: float) -> None:
        """Add ankles (2, 3), meters; forget ankles older than ``memory`` seconds."""
        self._ankles.append((time, ankles / self.size))
        while time - self._ankles[0][0] > memory:
            self._ankles.popleft()

    @property
    def last_seen(self) -> float:
        """Time of the last frame, seconds."""
        return self._ankles[-1][0]

    @property
    def speed(self) -> float:
        """Mean speed in m/s, which is less in the first second."""
        (start, first), (end, last) = self._ankles[0], self._ankles[-1]
        # Noise is fast between a few frames.
        return float(np.linalg.norm((last - first).mean(0))) / max(end - start, 1.0)

    def lowest_ankle(self, up: np.ndarray) -> float:
        """Return the height of the lowest ankle along ``up`` (3,), meters."""
        ankles = self.size * np.array([ankles for _, ankles in self._ankles])
        return float((ankles @ up).min())

    def set_height(self, height: float, pose: np.ndarray, time: float) -> None:
        """Set the size of a person of a stated height in meters.

        The lifted pose (17, 3) at a time adds to the mean lifted height.
        """
        measure = partial(height_over_ankles, pose[None], _H36M.joints)
        self.size = (height - ANKLE_HEIGHT) / float(self._height(measure, time))

    def angles(self, places: np.ndarray) -> dict[str, float]:
        """Return joint angles by name, degrees, without jumps by 360 degrees.

        ``places`` (17, 3) are joints in world axes, z up, meters.
        """
        last = places if self._last is None else self._last
        # The last pose has the last angles, and the new angles continue them.
        both = in_y_up(np.stack([last, places]))
        self._last = places
        self._angles = joint_angles(both, self._angles)[-1]
        names = angle_names(len(places))
        return dict(zip(names, self._angles.tolist(), strict=True))


class PeoplePlacer:
    """Place the people of a stream in the world, frame after frame.

    Poses are leveled, people get the stated height or keep the lifted size, and the
    lowest ankle of each person is on the floor.

    Args:
        options (PlaceOptions): Options of the world.
        say (Callable): Receives a line when the tilt is found.

    Attributes:
        level (Level): Rotation to world axes.
    """

    def __init__(
        self, options: PlaceOptions, say: Callable[[str], None] = lambda line: None
    ) -> None:
        self.options = options
        self.level = Level(options.tilt, options.level, say)
        # Origin of the world in z-up axes of the camera, (3,); None until it is known
        self._origin = np.zeros(3) if options.origin == 'camera' else None
        self._bodies: dict[int, Body] = {}
        self._time = 0.0  # time of the last frame with people, seconds

    def __call__(
        self, clip: Clip3D, returned: frozenset[int], time: float
    ) -> list[LivePerson]:
        """Place the people of a frame.

        Args:
            clip (Clip3D): Poses of one frame with people, in camera axes.
            returned (frozenset[int]): Track IDs that were lost before this frame.
            time (float): Seconds since the first frame.

        Returns:
            list[LivePerson]: The people, in the order of the clip.
        """
        step = min(time - self._time, _MAX_STEP)
        self._time = time
        is_first = not self._bodies
        bodies = self._bodies_of(clip)
        clip = self._scaled(clip, bodies)
        joints = to_axes(clip, 'z-up').places().astype(np.float64)
        for ankles, body in zip(joints[:, _ANKLES], bodies, strict=True):
            body.see(ankles, time, self.options.level.floor_seconds)
        speeds = np.array([body.speed for body in bodies])
        self.level.learn(joints, clip.scores, speeds, step)
        self.level.approach(np.inf if is_first else step)
        if self._origin is None:
            self._origin = joints[0, _ANKLES].mean(0)
        rotation = self.level.rotation
        origin = rotation @ self._origin
        people = []
        for row, body in enumerate(bodies):
            track = int(clip.track[row])
            origin[2] = body.lowest_ankle(rotation[2]) - ANKLE_HEIGHT
            places = joints[row] @ rotation.T - origin
            person = LivePerson(
                track=track,
                keypoints_3d=clip.keypoints_3d[row],
                root_3d=clip.root_3d[row],
                keypoints_2d=clip.keypoints_2d[row],
                scores=clip.scores[row],
                broken=track in returned,
                places=places,
                _time=time,
                _rest=body.rig.learn(places, time),
                _body=body,
            )
            people.append(person)
        return people

    def _bodies_of(self, clip: Clip3D) -> list[Body]:
        """Return the bodies of a frame's people; forget people who left long ago."""
        oldest = self._time - self.options.level.memory_seconds
        self._bodies = {
            track: body
            for track, body in self._bodies.items()
            if body.last_seen >= oldest
        }
        return [self._bodies.setdefault(x, Body()) for x in clip.track.tolist()]

    def _scaled(self, clip: Clip3D, bodies: list[Body]) -> Clip3D:
        """Return the clip with people of their sizes."""
        poses = clip.keypoints_3d.copy()
        roots = clip.root_3d.copy()
        for row, body in enumerate(bodies):
            if self.options.height is not None:
                body.set_height(self.options.height, poses[row], self._time)
            poses[row] *= body.size
            roots[row] *= body.size
        return replace(clip, keypoints_3d=poses, root_3d=roots)
