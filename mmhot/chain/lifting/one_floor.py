"""One floor below all people: a joint fit of the camera's tilt and of body sizes.

A lifter gives all people a typical size, so small people are placed too far away. A
different size moves a person's feet along their lines of sight, and only with the right
size do they reach the floor on which the others stand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy  # its modules are loaded at first use

from mmhot.skeletons.joints import ANKLE_HEIGHT, get_skeleton
from mmhot.structures.clips_3d import Clip3D
from mmhot.structures.conventions import standing_axes

_H36M = get_skeleton('h36m-17')
_ANKLES = _H36M.indices(['left_foot', 'right_foot'])
_LEGS = [*_H36M.indices(['left_knee', 'right_knee']), *_ANKLES]


@dataclass(frozen=True)
class OneFloorSettings:
    """Limits of the evidence of a floor, and standard deviations of the fit.

    Ranges are those of three scenes of each kind of tools/analysis/measure_floor.py.
    """

    # m/s; a faster ankle does not rest. With half of it people who step quickly have
    # twice the error, with double people on ladders and those who jump.
    max_speed: float = 0.4
    # Meters; an ankle that is higher above the other one does not rest. Errors of
    # people on the floor change by 6 % from 0.5 to 10 of it.
    max_height_above_other: float = 0.06
    # Seconds that are averaged to one observation. With half of it people on
    # trampolines are 56 % worse, with double those who step quickly 16 %.
    span_seconds: float = 0.3
    # Share of a span in which an ankle must rest: it is slow at the top of a jump, too.
    # People who step quickly have no such span: then shorter rests count. With half of
    # it people on trampolines are 55 % worse, with double those on ladders 29 %.
    min_rest_share: float = 0.5
    # m/s^2; downward acceleration of the lower ankle, above which a short rest is the
    # top of a jump (9.8 there), and the seconds over which it is measured. Results stay
    # from 0 to 1 of the first, and from 0.5 to 2 of the second; 2 of the first are
    # 23 % worse on trampolines.
    max_fall: float = 4.0
    fall_seconds: float = 0.24
    # Most observations that a person counts for; 0.5 to 2 of it change errors by 7 %.
    max_weight: float = 6.0
    # Meters; deviation of a resting ankle's height over the floor. Chosen on scenes of
    # tools/analysis/measure_floor.py: with 0.035 the depth of people who dance or do
    # sports is .5 % worse, other kinds are equal.
    ankle_error: float = 0.06
    # Radians; deviation of a standing person's axis from vertical. With half of it
    # people on the floor are 23 % worse, with double those who step quickly 18 %.
    body_axis_error: float = 0.07
    # Degrees between trunk and legs, and between thighs and shins; people who bend more
    # do not stand. With half of both people who step quickly are 39 % worse, with
    # double 20 %.
    max_bends: tuple[float, float] = (18.0, 35.0)
    # Cosine between vertical and the line from hips to ankles. People who are below it
    # in most frames sit or lie on the floor, and do not show its height. It is above
    # 0.78 in people who stand, dance, do sports or sit on chairs.
    min_leg_upright: float = 0.7
    # Share of poses that must stand for the body axis to count; 0 to 1 of it change
    # errors by 2 %, 2 of it are 21 % worse.
    min_standing_share: float = 0.1
    # Deviation of a body size from the lifted one, logarithm. With half of it people
    # who step quickly are 52 % worse, with double people on ladders 21 %.
    size_error: float = 0.12
    # Change of a body size, logarithm; people who need more to reach the floor stand on
    # something else. With half of it people on the floor have four times the error,
    # with double people on stages 1.5 times.
    max_size_change: float = 0.27
    # The same, relative to the mean change of all other standing people: 1.15 m beside
    # 1.80 m. With half of it seated people are 130 % worse; 1 to 10 of it are equal.
    max_size_difference: float = 0.45
    # Error of a body size relative to other people, over the error before the fit; with
    # a higher one the floor shows no size. It is 0.83 to 1 in six of seven scenes of a
    # camera that is 0.1 m high, and below 0.88 in 42 scenes of higher cameras; with 0.8
    # people who step quickly are 0.7 % of their depth worse.
    max_error_share: float = 0.9
    # Radians by which the camera looks down: mean and standard deviation; 0.5 to 10 of
    # both change errors by 5 %.
    pitch: tuple[float, float] = (0.12, 0.3)
    # Radians; standard deviation of the camera's roll. Phones lean by up to .4, level
    # cameras by .02. The scenes have none, and are 24 % better with half of it.
    roll_error: float = 0.05
    # Meters; height of the camera from which the fit starts, beside the mean pitch. 10
    # times both find the same.
    height: float = 1.5


ONE_FLOOR = OneFloorSettings()


@dataclass(frozen=True)
class Stance:
    """Evidence that one person gives for the floor, in z-up axes of the camera.

    Attributes:
        ankles (np.ndarray): Places where an ankle rested, meters, (N, 3).
        axis (np.ndarray | None): Unit vector along the standing body, (3,); None if the
            person hardly stands.
    """

    ankles: np.ndarray
    axis: np.ndarray | None = None

    @classmethod
    def of(cls, person: Clip3D) -> 'Stance':
        """Collect the evidence of one person.

        Args:
            person (Clip3D): Poses of the person in z-up axes, with root positions.

        Returns:
            Stance: Places of resting ankles, and the standing body's axis. People who
            sit or lie on the floor give no evidence: their poses are least accurate.
        """
        body = person.keypoints_3d[:, : _H36M.num_keypoints].astype(np.float64)
        body[legs_unseen(person)] = np.nan
        feet = body[:, _ANKLES].mean(1)
        is_low = -feet[:, 2] < ONE_FLOOR.min_leg_upright * np.linalg.norm(feet, axis=1)
        if is_low.mean() > 0.5:
            return cls(np.empty((0, 3)))
        axes = standing_axes(body, ONE_FLOOR.max_bends)
        axes = axes[np.isfinite(axes).all(1)]
        axis = None
        if len(axes) > ONE_FLOOR.min_standing_share * len(body):
            axis = np.median(axes, axis=0)
            axis /= np.linalg.norm(axis)
        ankles = body[:, _ANKLES] + person.root_3d[:, None]
        return cls(resting_places(ankles, person.time), axis)


def legs_unseen(clip: Clip3D) -> np.ndarray:
    """Mark poses in which no knee and no ankle was detected.

    Args:
        clip (Clip3D): N poses. Only skeletons that begin with Human3.6M's joints have
            legs.

    Returns:
        np.ndarray: (N,) bool.
    """
    if clip.joint_names[: _H36M.num_keypoints] != _H36M.joints:
        return np.zeros(len(clip), bool)
    return np.asarray((clip.scores[:, _LEGS] <= 0).all(1))


def resting_places(ankles: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Find the places where the ankles of one person rest.

    Args:
        ankles (np.ndarray): Both ankles, z approximately up, meters, (T, 2, 3).
        seconds (np.ndarray): Timestamps, (T,).

    Returns:
        np.ndarray: Places, meters, (N, 3).
    """
    if len(ankles) < 2:
        return np.empty((0, 3))
    speeds = np.linalg.norm(np.gradient(ankles, seconds, axis=0), axis=-1)
    heights = ankles[..., 2]
    above = heights - heights.min(1, keepdims=True)
    rests = (speeds < ONE_FLOOR.max_speed) & (above < ONE_FLOOR.max_height_above_other)
    places = _mean_places(ankles, seconds, rests, ONE_FLOOR.min_rest_share)
    if not len(places):
        rests[_falls(heights.min(1), seconds)] = False
        places = _mean_places(ankles, seconds, rests, min_share=0.0)
    return places


def _mean_places(
    ankles: np.ndarray, seconds: np.ndarray, rests: np.ndarray, min_share: float
) -> np.ndarray:
    """Average each ankle (T, 2, 3) over spans of which it rests (T, 2) a share."""
    spans = 2 * (seconds / ONE_FLOOR.span_seconds).astype(int)[:, None] + [0, 1]
    _, owner, counts = np.unique(spans[rests], return_inverse=True, return_counts=True)
    sums = [np.bincount(owner, column) for column in ankles[rests].T]
    step = (seconds[-1] - seconds[0]) / (len(seconds) - 1)
    is_long = counts * step >= min_share * ONE_FLOOR.span_seconds
    return (np.stack(sums) / counts).T[is_long]


def _falls(heights: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Mark frames in which heights (T,) in meters accelerate downward as in a jump."""
    reach = ONE_FLOOR.fall_seconds / 2
    earlier = np.interp(seconds - reach, seconds, heights)
    later = np.interp(seconds + reach, seconds, heights)
    return (2 * heights - earlier - later) / reach**2 > ONE_FLOOR.max_fall


@dataclass(frozen=True)
class OneFloor:
    """The floor, and the sizes with which all P people stand on it.

    Attributes:
        up (np.ndarray): Normal of the floor, a unit vector in z-up axes of the camera,
            (3,).
        sizes (np.ndarray): Body sizes relative to the lifted ones, (P,).
        errors (np.ndarray): Standard deviations of their logarithms, (P,).
        stands (np.ndarray): Whether a person was seen to stand on it, (P,).
    """

    up: np.ndarray
    sizes: np.ndarray
    errors: np.ndarray
    stands: np.ndarray


def fit_floor(
    people: Sequence[Stance], known: Mapping[int, float] = {}
) -> OneFloor | None:
    """Fit pitch, roll and height of the camera, and body sizes, by least squares.

    A person alone keeps the lifted size, as nothing shows the scale. If a person would
    need an implausible size to reach the floor, or if the floor hardly shows the size,
    the fit is repeated without this person's feet.

    Args:
        people (Sequence[Stance]): Evidence of each of P people.
        known (Mapping[int, float]): Sizes that are known, relative to the lifted ones,
            by the person's index.

    Returns:
        OneFloor | None: The floor; None if no foot rested.

    Example:
        A level camera is 1.5 m above the floor. The ankles of a man rest 1.42 m below
        it. A girl has 0.8 times his size. She was lifted at the same size, so her
        ankles are too far away and too low:

        >>> man = np.array([[-0.5, 4, -1.42], [0.5, 4, -1.42]] * 20)
        >>> girl = np.array([[-0.5, 3, -1.42], [0.5, 3, -1.42]] * 20) / 0.8
        >>> up = np.array([0.0, 0, 1])
        >>> floor = fit_floor([Stance(man, up), Stance(girl, up)], known={0: 1.0})
        >>> floor.sizes.round(2).tolist()
        [1.0, 0.82]
    """
    solver = _FloorSolver(people, known)
    if not len(solver.ankles):
        return None
    x = solver.solve()
    sizes = solver.sizes(x)
    free = solver.is_free
    covariance = np.zeros((len(people), len(people)))
    jacobian = scipy.optimize.approx_fprime(x, solver.residuals)
    covariance[np.ix_(free, free)] = np.linalg.pinv(jacobian.T @ jacobian)[3:, 3:]
    stands = np.array([len(person.ankles) > 0 for person in people])
    # Each row compares a person with the mean of all others who stand.
    same = np.eye(len(people))
    against = same - (stands - same) / max(stands.sum() - 1, 1)
    changes = np.abs(sizes) / ONE_FLOOR.max_size_change
    expected = ONE_FLOOR.size_error * np.linalg.norm(against * free, axis=1)
    left = np.sqrt(np.einsum('pi,ij,pj->p', against, covariance, against))
    uncertain = left / np.maximum(expected, 1e-9) / ONE_FLOOR.max_error_share
    uncertain *= stands.sum() > 1
    differences = np.abs(against @ sizes) / ONE_FLOOR.max_size_difference
    doubts = np.max([changes, differences, uncertain], axis=0) * (stands & free)
    worst = int(doubts.argmax())
    if doubts[worst] > 1:
        rest = [*people]
        rest[worst] = replace(people[worst], ankles=np.empty((0, 3)))
        return fit_floor(rest, known)
    return OneFloor(
        solver.up(x), np.exp(sizes), np.sqrt(np.diagonal(covariance)), stands
    )


def fit_people(seen: Clip3D) -> OneFloor | None:
    """Fit the floor below all people of a shot.

    Args:
        seen (Clip3D): Poses in z-up axes, with root positions. Only people with assumed
            heights get other sizes.

    Returns:
        OneFloor | None: The floor, with people in the order of ``seen.track_ids``; None
        if no foot rested.
    """
    known = {
        index: 1.0
        for index, track in enumerate(seen.track_ids)
        if track in seen.heights and seen.heights[track].source != 'assumed'
    }
    people = [Stance.of(seen.take(seen.track == track)) for track in seen.track_ids]
    return fit_floor(people, known)


class _FloorSolver:
    """Least squares of camera and body sizes, so that resting ankles are on one floor.

    The F + 3 unknowns ``x`` are the pitch and roll of the camera in radians, the
    logarithm of its height in meters, and the logarithms of the F sizes that are free.

    Args:
        people (Sequence[Stance]): Evidence of each of P people.
        known (Mapping[int, float]): Sizes that are not free, by the person's index.

    Attributes:
        ankles (np.ndarray): Resting ankles of all people, z-up axes of the camera,
            meters, (N, 3).
        is_free (np.ndarray): Whether the size of a person is unknown, (P,) bool.
    """

    def __init__(self, people: Sequence[Stance], known: Mapping[int, float]) -> None:
        indices = range(len(people))
        self.is_free = np.array([len(people) > 1 and x not in known for x in indices])
        self._known_sizes = np.log([known.get(index, 1.0) for index in indices])
        counts = np.array([len(person.ankles) for person in people])
        self._person_of_ankle = np.repeat(indices, counts)
        self.ankles = np.concatenate([person.ankles for person in people])
        axes = [person.axis for person in people if person.axis is not None]
        self._body_axes = np.reshape(axes, (-1, 3))
        shares = np.minimum(1, ONE_FLOOR.max_weight / np.maximum(counts, 1))
        self._weights = np.sqrt(shares)[self._person_of_ankle] / ONE_FLOOR.ankle_error

    def solve(self) -> np.ndarray:
        """Return the best ``x``."""
        start = [ONE_FLOOR.pitch[0], 0, np.log(ONE_FLOOR.height)]
        start += [0] * self.is_free.sum()
        return scipy.optimize.least_squares(self.residuals, start, loss='soft_l1').x

    def up(self, x: np.ndarray) -> np.ndarray:
        """Return the floor's normal in z-up axes of the camera, (3,)."""
        pitch, roll = x[:2]
        level = np.array([np.sin(roll), 0, np.cos(roll)])
        return np.cos(pitch) * level - [0, np.sin(pitch), 0]

    def sizes(self, x: np.ndarray) -> np.ndarray:
        """Return the logarithms of all sizes, (P,)."""
        sizes = self._known_sizes.copy()
        sizes[self.is_free] = x[3:]
        return sizes

    def residuals(self, x: np.ndarray) -> np.ndarray:
        """Return all deviations over their standard deviations, (R,)."""
        up = self.up(x)
        # Heights are compared at the lifted size: otherwise a smaller size would make
        # every deviation smaller.
        camera = np.exp(x[2] - self.sizes(x))[self._person_of_ankle]
        heights = self.ankles @ up - ANKLE_HEIGHT + camera
        pitch, pitch_error = ONE_FLOOR.pitch
        return np.concatenate(
            [
                heights * self._weights,
                np.cross(self._body_axes, up).ravel() / ONE_FLOOR.body_axis_error,
                [(x[0] - pitch) / pitch_error, x[1] / ONE_FLOOR.roll_error],
                x[3:] / ONE_FLOOR.size_error,
            ]
        )
