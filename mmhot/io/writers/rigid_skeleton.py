"""Joint rotations of a skeleton with constant bone lengths, from joint positions."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import scipy  # its modules are loaded at first use

from mmhot.geometry.rotations import quaternions_of, rotation_matrices
from mmhot.geometry.smooth_fits import normal_bands
from mmhot.io.writers.rigs import (
    FINGERS,
    HUMAN_IK,
    PHALANGES,
    TOE,
    TOE_END,
    TYPICAL_SHIN,
    Rig,
)
from mmhot.skeletons.joint_angles import unit_vectors
from mmhot.skeletons.joints import ANKLE_HEIGHT, Skeleton, get_skeleton

T = TypeVar('T', float, np.ndarray)
Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""Rotation from z up to y up; x stays."""
# Feet near the floor are leveled: less the higher the ankle is, and the more they lean.
_MAX_LIFT = 0.15  # meters; ankles this far above their height in standing are not level
_MAX_LEAN = np.radians(45)  # radians; feet that lean more are leveled less
# The direction in which a foot points is smoothed while its ankle rests.
_YAW_ERROR = 0.2  # radians; deviation of the direction seen; higher smooths more
_YAW_CHANGE = 10.0  # radians per meter that the ankle moves; higher smooths less
_MIN_STEP = 3e-4  # meters per frame; ankles that rest count as moving by as much
_MAX_YAW = np.radians(30)  # radians; corrections of a direction end there
_MOST_UNFITTED = 250  # frames; earlier ones no longer change the direction of feet
_UNKNOWN = 1e6  # variance of a direction that was never seen
_ENDS = get_skeleton('h36m-24')
_UNTURNED = np.eye(3)
_FEET = [HUMAN_IK.joints.index(f'{side}_foot') for side in ('left', 'right')]


@dataclass
class RigidMotion:
    """Motion of a skeleton with constant bone lengths."""

    # Parent of each joint, -1 for the root. Parents come before their children.
    parents: tuple[int, ...]
    # Joint positions relative to the parent in the rest pose, meters, (K, 3): x to the
    # left of the person, y up, z forward; 0 for the root.
    offsets: np.ndarray
    root: np.ndarray  # root positions in the world, meters, (T, 3)
    # Matrices (T, K, 3, 3) that map from a joint's axes to its parent's axes, and from
    # the root's axes to the world.
    rotations: np.ndarray

    def positions(self) -> np.ndarray:
        """Compute joint positions in world axes, (T, K, 3)."""
        return self.placed()[0]

    def rest(self) -> np.ndarray:
        """Compute joint positions of the rest pose, the root at 0, (K, 3)."""
        still = np.eye(3) * np.ones((1, len(self.parents), 1, 1))
        return replace(self, root=np.zeros((1, 3)), rotations=still).positions()[0]

    def quaternions(self) -> np.ndarray:
        """Return quaternions x, y, z, w, (T, K, 4), y up, without jumps of the sign."""
        rotations = self.rotations.copy()
        rotations[:, 0] = Y_UP @ rotations[:, 0]
        return _smooth_quaternions(rotations)

    def placed(self) -> tuple[np.ndarray, np.ndarray]:
        """Compute positions (T, K, 3) and axes (T, K, 3, 3) in world axes."""
        axes, positions = self.rotations.copy(), np.empty(self.rotations.shape[:-1])
        positions[:, 0] = self.root
        for joints, above, *_ in _levels(self.parents):
            arms = axes[:, above] @ self.offsets[joints, :, None]
            positions[:, joints] = positions[:, above] + arms[..., 0]
            axes[:, joints] = axes[:, above] @ axes[:, joints]
        return positions, axes


def place_bones(
    motion: RigidMotion, rig: Rig
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Compute where the bones of a rig are in the world: z up, meters.

    Args:
        motion (RigidMotion): Motion of ``rig.joints``.
        rig (Rig): Names and rest axes of the bones.

    Returns:
        dict: Positions (T, 3) and quaternions w, x, y, z (T, 4) by the rig's name of
        the bone, equal to what a ``.bvh`` contains. ``LeftFootMod`` and
        ``RightFootMod`` have the position of the foot and the rotation of the toe, as
        retargeting to robots expects.
    """
    places, axes = motion.placed()
    turns = _smooth_quaternions(axes @ rig.rest_axes)[..., [3, 0, 1, 2]]
    at = {joint: number for number, joint in enumerate(rig.joints)}
    bones = {name: (places[:, at[x]], turns[:, at[x]]) for x, name in rig.names.items()}
    for side in ('left', 'right'):
        foot, toe = (rig.names[f'{side}_{part}'] for part in ('foot', 'toe'))
        bones[f'{foot}Mod'] = bones[foot][0], bones[toe][1]
    return bones


def _smooth_quaternions(rotations: np.ndarray) -> np.ndarray:
    """Convert matrices (T, K, 3, 3) to quaternions x, y, z, w without jumps of sign."""
    values = quaternions_of(rotations)
    values[0] *= np.where(values[0, :, 3:] < 0, -1, 1)
    flips = np.where((values[1:] * values[:-1]).sum(-1) < 0, -1, 1)
    values[1:] *= np.cumprod(flips, axis=0)[..., None]
    return values


def fit_rig(
    positions: np.ndarray,
    rig: Rig,
    names: Sequence[str] = _ENDS.joints,
    rest: np.ndarray | None = None,
    hold: Callable[[RigidMotion, np.ndarray, np.ndarray], None] | None = None,
) -> RigidMotion:
    """Fit the rig of a program to a person on a floor: a motion of ``rig.joints``.

    Human3.6M's joints do not determine all rotations. Where they leave one open, bones
    with one child do not twist against their parent, feet point where shins do, and
    feet near the floor are level. The joints of ``h36m-24`` determine the rotations of
    feet, hands and head; fingers determine hands more exactly.

    Args:
        positions (np.ndarray): Joints of ``h36m-17`` or ``h36m-24``, then fingers, in
            meters, z up from the floor, without NaN, (T, K, 3).
        rig (Rig): Joint tree of the program.
        names (Sequence[str]): Names of the K joints.
        rest (np.ndarray, optional): Offsets of the rest pose of ``rig.skeleton``,
            (J, 3). Default: :func:`rest_offsets`.
        hold (Callable, optional): Keeps the direction of resting feet in place, given
            the motion, positions (T, K, 3) and axes (T, K, 3, 3).

    Returns:
        RigidMotion: The motion.
    """
    positions = np.asarray(positions, np.float64)
    seen = dict(zip(names, positions.swapaxes(0, 1), strict=False))
    places = rig.places @ positions[:, : rig.places.shape[1]]
    body = fit_rigid_skeleton(places, rig.skeleton, rest)
    joints = rig.joints
    parents, offsets = list(body.parents), list(body.offsets)
    for foot in _FEET:
        scale = np.linalg.norm(offsets[foot]) / TYPICAL_SHIN
        parents += [foot, len(parents)]
        offsets += [scale * TOE, scale * TOE_END]
    toes = np.broadcast_to(np.eye(3), (len(body.root), 4, 3, 3))
    rotations = np.concatenate([body.rotations, toes], axis=1)
    motion = RigidMotion(tuple(parents), np.array(offsets), body.root, rotations)
    placed = motion.placed()
    if 'nose' in seen:
        _turn_ends(motion, joints, seen, placed[1])
    else:
        _level_feet(motion, *placed)
    if hold is not None or len(body.root) > 1:
        (hold or _hold_feet)(motion, *placed)
    for side in rig.hands:
        motion = _add_fingers(motion, joints, seen, side)
    return motion


class RunningMean(Generic[T]):
    """Running mean of measurements that never jumps.

    At first it is the mean of all frames, then of some frames of about the last ten
    seconds.
    """

    _first = 25  # frames at the start that are all measured
    _pause = 0.2  # seconds between two measurements after that
    _longest = 1.0  # seconds that a measurement stands for at most, after a gap
    _memory = 10.0  # seconds of the mean; higher follows changes more slowly

    def __init__(self) -> None:
        self._mean: T | None = None
        self._count, self._time = 0, 0.0

    def __call__(self, measure: Callable[[], T], time: float) -> T:
        """Return the mean with the measurement at a time, if one is due."""
        step = time - self._time
        if self._mean is None:
            self._mean, self._time, self._count = measure(), time, 1
        elif self._count < self._first or step >= self._pause:
            self._time, self._count = time, self._count + 1
            share = max(1 / self._count, min(step, self._longest) / self._memory)
            self._mean = self._mean + share * (measure() - self._mean)
        return self._mean


class LiveRig:
    """Fit the humanoid of all rigs to one person, frame after frame."""

    def __init__(self) -> None:
        self._rest = RunningMean[np.ndarray]()
        # Times and joints of the latest frames since the last one that was fitted.
        self._unfitted: deque[tuple[float, np.ndarray]] = deque(maxlen=_MOST_UNFITTED)
        self._before: dict[tuple[Rig, str], np.ndarray] = {}  # quaternions
        # State of both feet: direction in radians, its variance, and ankle positions.
        self._yaw, self._ankles = np.zeros(2), np.zeros((2, 3))
        self._variance = np.full(2, _UNKNOWN)

    def learn(self, joints: np.ndarray, time: float) -> np.ndarray:
        """Update the bone lengths by the next frame, and return the rest pose (K, 3).

        ``joints`` (17, 3) are Human3.6M's in meters, z up from the floor, at ``time``
        in seconds. All frames are learned from, so that no motion depends on which
        frames are fitted.
        """
        self._unfitted.append((time, joints))
        return self._rest(lambda: _even_offsets(joints[None]), time)

    def fit(self, joints: np.ndarray, time: float, rest: np.ndarray) -> RigidMotion:
        """Fit joints (17, 3) of a frame that was learned from, with its rest pose.

        ``time`` is in seconds, and ``rest`` (K, 3) the result of :meth:`learn`.
        """
        frames = []
        while self._unfitted and self._unfitted[0][0] < time:
            frames.append(self._unfitted.popleft()[1])
        if self._unfitted and self._unfitted[0][0] == time:
            self._unfitted.popleft()
        poses = np.stack([*frames, joints])
        motion = fit_rig(poses, HUMAN_IK, rest=rest, hold=self._hold_feet)
        last = slice(len(frames), None)
        return replace(motion, root=motion.root[last], rotations=motion.rotations[last])

    def place(
        self, motion: RigidMotion, rig: Rig
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return the bones of a motion of one frame, see :func:`place_bones`.

        Positions are (3,), and quaternions (4,) without jumps of sign between calls.
        """
        bones = {}
        for name, ((place,), (turn,)) in place_bones(motion, rig).items():
            before = self._before.get((rig, name), turn)
            self._before[rig, name] = -turn if turn @ before < 0 else turn
            bones[name] = place, self._before[rig, name]
        return bones

    def _hold_feet(
        self, motion: RigidMotion, positions: np.ndarray, axes: np.ndarray
    ) -> None:
        """Keep the direction of feet while their ankles rest, in place.

        A Kalman filter of each direction does live what :func:`_hold_feet` does for a
        whole motion. ``positions`` (T, K, 3) and ``axes`` (T, K, 3, 3) are in the
        world.
        """
        frames = zip(positions[:, _FEET], axes[:, _FEET, :], strict=True)
        turns = []
        for ankles, soles in frames:
            x, y, _ = soles[..., 2].T
            seen = np.arctan2(y, x)
            path = np.linalg.norm(ankles - self._ankles, axis=-1)
            variance = self._variance + (_YAW_CHANGE * np.maximum(path, _MIN_STEP)) ** 2
            share = 1 / (1 + _YAW_ERROR**2 / (x**2 + y**2 + 1e-6) / variance)
            # Remaining angle to the filtered direction, from -pi to pi
            turn = (1 - share) * ((self._yaw - seen + np.pi) % (2 * np.pi) - np.pi)
            turns.append(turn.clip(-_MAX_YAW, _MAX_YAW))
            self._yaw = seen + turns[-1]
            self._ankles = ankles
            self._variance = (1 - share) * variance
        held = rotation_matrices(np.array(turns)[..., None] * [0, 0, 1])
        for number, foot in enumerate(_FEET):
            _turn_to(motion, foot, axes, held[:, number] @ axes[:, foot])


def _even_offsets(joints: np.ndarray) -> np.ndarray:
    """Compute the rest pose (K, 3) of the humanoid, with both sides equally long.

    ``joints`` (T, 17, 3) are Human3.6M's in meters.
    """
    skeleton = HUMAN_IK.skeleton
    offsets = rest_offsets(HUMAN_IK.places @ joints, skeleton)
    lengths = np.linalg.norm(offsets, axis=-1).clip(1e-9)
    even = (lengths + lengths[skeleton.flip_indices]) / 2
    return offsets * (even / lengths)[:, None]


def joint_errors(motion: RigidMotion, rig: Rig, positions: np.ndarray) -> np.ndarray:
    """Return how far Human3.6M's joints are from their positions, meters, (T, 17)."""
    moved = motion.positions()[:, rig.lifted]
    return np.linalg.norm(moved - positions[:, : len(rig.lifted)], axis=-1)


def describe_errors(errors: np.ndarray) -> str:
    """Describe :func:`joint_errors`, meters (T, 17), in one line for users."""
    mean, most = 1000 * errors.mean(), 1000 * errors.max()
    return f'constant bones: joints {mean:.0f} mm off, at most {most:.0f} mm'


def _turn_ends(
    motion: RigidMotion,
    joints: tuple[str, ...],
    seen: dict[str, np.ndarray],
    axes: np.ndarray,
) -> None:
    """Turn feet, hands and head as the joints of ``h36m-24`` show, in place.

    ``seen`` has positions (T, 3) by joint name, and ``axes`` (T, K, 3, 3) are the
    joints' axes in the world, which are updated.
    """
    for side in ('left', 'right'):
        foot, wrist = (joints.index(f'{side}_{x}') for x in ('foot', 'wrist'))
        sole = unit_vectors(seen[f'{side}_big_toe'] - seen[f'{side}_heel'])
        shin = seen[f'{side}_knee'] - seen[f'{side}_foot']
        left = unit_vectors(np.cross(shin, sole))
        level = np.stack([left, np.cross(sole, left), sole], axis=-1)
        _turn_to(motion, foot, axes, level)
        forearm = axes[:, motion.parents[wrist]]
        hand = seen[f'{side}_hand'] - seen[f'{side}_wrist']
        bend = least_rotation(forearm @ motion.offsets[wrist], hand)
        _turn_to(motion, wrist, axes, bend @ forearm)
    shoulders = (seen['left_shoulder'] + seen['right_shoulder']) / 2
    neck, head = joints.index('neck_base'), joints.index('head')
    up = unit_vectors(axes[:, neck] @ motion.offsets[head])
    ears = 0.75 * seen['head'] + 0.25 * shoulders
    left = axes[:, neck, :, 0]
    left = left - (left * up).sum(-1, keepdims=True) * up
    twist = least_rotation(left, np.cross(up, seen['nose'] - ears))
    _turn_to(motion, neck, axes, twist @ axes[:, neck])


def _add_fingers(
    motion: RigidMotion, joints: tuple[str, ...], seen: dict[str, np.ndarray], side: str
) -> RigidMotion:
    """Turn a hand as its knuckles show, and add its fingers, straight in the rest pose.

    ``seen`` has positions (T, 3) by joint name.
    """
    wrist = joints.index(f'{side}_wrist')
    sign = 1 if side == 'left' else -1
    points = np.array(
        [[seen[f'{side}_{x}{number}'] for number in PHALANGES] for x in FINGERS]
    )
    palm = (points[:, 0] - seen[f'{side}_wrist']).swapaxes(0, 1)  # (T, 5, 3)
    left = sign * unit_vectors(palm[:, 2])
    up = unit_vectors(np.cross(palm[:, 1] - palm[:, 4], left))
    hand = np.stack([left, up, np.cross(left, up)], axis=-1)
    rest = (palm @ hand).mean(0)
    hand = _best_rotation(rest, palm)
    _turn_to(motion, wrist, motion.placed()[1], hand)
    parents, offsets = list(motion.parents), [*motion.offsets]
    turns = [*motion.rotations.swapaxes(0, 1)]
    for knuckle, finger in zip(rest, points, strict=True):
        bones = np.diff(finger, axis=0)
        lengths = np.median(np.linalg.norm(bones, axis=-1), axis=-1)
        parents += [wrist, *(len(parents) + x for x in range(len(bones)))]
        offsets += [knuckle, *(lengths[:, None] * unit_vectors(knuckle))]
        axes = hand
        for bone in bones:
            turned = least_rotation(axes @ knuckle, bone) @ axes
            turns.append(np.swapaxes(axes, -1, -2) @ turned)
            axes = turned
        turns.append(np.broadcast_to(np.eye(3), hand.shape))
    rotations = np.stack(turns, axis=1)
    return RigidMotion(tuple(parents), np.array(offsets), motion.root, rotations)


def _turn_to(
    motion: RigidMotion, joint: int, axes: np.ndarray, target: np.ndarray
) -> None:
    """Turn a joint to target axes (T, 3, 3) in the world, in place.

    ``axes`` (T, K, 3, 3) are the axes of all joints in the world, which are updated.
    """
    above = np.swapaxes(axes[:, motion.parents[joint]], -1, -2)
    axes[:, joint] = target
    motion.rotations[:, joint] = above @ target


def _level_feet(motion: RigidMotion, positions: np.ndarray, axes: np.ndarray) -> None:
    """Turn feet near the floor until they are level, in place.

    ``positions`` (T, K, 3) and ``axes`` (T, K, 3, 3) are in the world.
    """
    x, y, z = np.moveaxis(axes[:, _FEET][..., 1], -1, 0)
    sine = np.hypot(x, y)
    height = positions[:, _FEET, 2] - ANKLE_HEIGHT
    angle = np.arctan2(sine, z)
    leaning = ((np.pi / 2 - angle) / (np.pi / 2 - _MAX_LEAN)).clip(0, 1)
    share = leaning * (1 - height / _MAX_LIFT).clip(0, 1)
    turn = share * np.minimum(angle, _MAX_LEAN) / sine.clip(1e-9)
    level = rotation_matrices(np.stack([y * turn, -x * turn, 0 * turn], axis=-1))
    for number, foot in enumerate(_FEET):
        _turn_to(motion, foot, axes, level[:, number] @ axes[:, foot])


def _hold_feet(motion: RigidMotion, positions: np.ndarray, axes: np.ndarray) -> None:
    """Keep the direction of feet while their ankles rest, in place.

    The direction of each foot is smoothed by least squares: it stays near the direction
    seen, and changes by little between frames where the ankle hardly moves.
    ``positions`` (T, K, 3) and ``axes`` (T, K, 3, 3) are in the world.
    """
    for foot in _FEET:
        x, y, _ = np.moveaxis(axes[:, foot, :, 2], -1, 0)
        seen = np.unwrap(np.arctan2(y, x))
        weights = (x**2 + y**2) / _YAW_ERROR**2 + 1e-6
        path = np.linalg.norm(np.diff(positions[:, foot], axis=0), axis=-1)
        stiff = 1 / (_YAW_CHANGE * np.maximum(path, _MIN_STEP))
        bands = normal_bands(stiff * [[-1], [1]], len(seen))
        bands[0] += weights
        turn = scipy.linalg.solveh_banded(bands, weights * seen, lower=True) - seen
        turn = turn.clip(-_MAX_YAW, _MAX_YAW)
        held = rotation_matrices(turn[:, None] * [0, 0, 1])
        _turn_to(motion, foot, axes, held @ axes[:, foot])


def fit_rigid_skeleton(
    positions: np.ndarray, skeleton: Skeleton, offsets: np.ndarray | None = None
) -> RigidMotion:
    """Fit a skeleton with constant bone lengths to positions (T, K, 3), z up.

    The rest pose has ``offsets`` (K, 3), by default :func:`rest_offsets`. From the root
    outwards, every joint is rotated so that its bones point at the given positions,
    which keeps the errors of inner joints from adding up. Joints with one bone rotate
    as little as possible. The root is first, and one joint is the 'thorax'.
    """
    positions = np.asarray(positions, np.float64)
    offsets = rest_offsets(positions, skeleton) if offsets is None else offsets
    parents = skeleton.parents
    places, axes = np.empty_like(positions), np.empty((*positions.shape, 3))
    # The root may move, too, so that it shares its error with its neighbors.
    around = [0, *_levels(parents)[0].joints]
    center, middle = positions[:, around].mean(1), offsets[around].mean(0)
    seen = positions[:, around] - center[:, None]
    axes[:, 0] = _best_rotation(offsets[around] - middle, seen)
    places[:, 0] = center - axes[:, 0] @ middle
    for joints, above, chain, ends, forks in _levels(parents):
        arms = axes[:, above] @ offsets[joints, :, None]
        places[:, joints] = places[:, above] + arms[..., 0]
        axes[:, joints] = axes[:, above]
        if len(chain):
            turned = (axes[:, chain] @ offsets[ends, :, None])[..., 0]
            turns = least_rotation(turned, positions[:, ends] - places[:, chain])
            axes[:, chain] = turns @ axes[:, chain]
        for joint, children in forks.items():
            seen = positions[:, children] - places[:, joint, None]
            axes[:, joint] = _best_rotation(offsets[children], seen)
    local = axes.copy()
    local[:, 1:] = np.swapaxes(axes[:, list(parents[1:])], -1, -2) @ axes[:, 1:]
    return RigidMotion(tuple(parents), offsets, places[:, 0], local)


class _Level(NamedTuple):
    """Joints at the same depth, counted in bones from the root."""

    joints: np.ndarray
    above: np.ndarray  # their parents
    chain: np.ndarray  # the joints with one bone
    ends: np.ndarray  # the ends of these bones
    forks: dict[int, list[int]]  # for each joint with several bones, their ends


@lru_cache
def _levels(parents: tuple[int, ...]) -> list[_Level]:
    """Group all joints but the root by their depth."""
    below: dict[int, list[int]] = {joint: [] for joint in range(len(parents))}
    for joint, parent in [*enumerate(parents)][1:]:
        below[parent].append(joint)
    levels, joints = [], below[0]
    while joints:
        chain = [x for x in joints if len(below[x]) == 1]
        forks = {x: below[x] for x in joints if len(below[x]) > 1}
        above, ends = [parents[x] for x in joints], [below[x][0] for x in chain]
        own, up, single, end = (np.array(x, int) for x in (joints, above, chain, ends))
        levels.append(_Level(own, up, single, end, forks))
        joints = [child for x in joints for child in below[x]]
    return levels


def rest_offsets(positions: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Compute offsets (K, 3) of the rest pose: standing, arms to the sides.

    Bones get their median length in ``positions`` (T, K, 3). Limbs are straight: legs
    down, arms to the sides. All other bones keep their mean angles to hips or
    shoulders.
    """
    parents = skeleton.parents
    trunk = positions[:, skeleton.index('thorax')] - positions[:, 0]
    bones = positions - positions[:, list(parents)]
    lengths = np.median(np.linalg.norm(bones, axis=-1), axis=0)
    means: dict[int, np.ndarray] = {}
    for left, right in skeleton.flip_pairs:
        if parents[left] == parents[right]:
            across = unit_vectors(positions[:, left] - positions[:, right])
            forward = unit_vectors(np.cross(across, trunk))
            frames = np.stack([across, np.cross(forward, across), forward], axis=-2)
            means[parents[left]] = np.einsum('tij,tkj->ki', frames, bones)
    offsets = np.zeros((len(parents), 3))
    for parent, child in skeleton.bones:
        joint = skeleton.joints[child]
        if parent not in means and joint.endswith(('knee', 'foot')):
            offsets[child] = 0, -1, 0
        elif parent not in means and joint.endswith(('elbow', 'wrist', 'hand_end')):
            offsets[child] = 1 if joint.startswith('left') else -1, 0, 0
        else:
            while parent not in means:
                parent = parents[parent]
            offsets[child] = means[parent][child]
    norms = np.linalg.norm(offsets, axis=-1).clip(1e-9)
    return offsets * (lengths / norms)[:, None]


def _best_rotation(rest: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Rotate ``rest`` (N, 3) as close as possible to ``seen`` (T, N, 3): (T, 3, 3)."""
    u, _, vt = np.linalg.svd(np.swapaxes(seen, -1, -2) @ rest)
    u[..., -1] *= np.linalg.det(u @ vt)[:, None]
    return u @ vt


def least_rotation(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Compute the smallest rotations (..., 3, 3) between directions (..., 3).

    >>> forward, up = np.array([0.0, 0.0, 1.0]), np.array([0.0, 3.0, 0.0])
    >>> least_rotation(forward, up) @ forward
    array([0., 1., 0.])
    """
    squares = (source * source).sum(-1) * (target * target).sum(-1)
    scale = 1 / np.sqrt(np.maximum(squares, 1e-24))[..., None, None]
    outer = target[..., :, None] * (source[..., None, :] * scale)
    twist = outer - np.swapaxes(outer, -1, -2)
    both = 1 + (source * target).sum(-1)[..., None, None] * scale
    turns = _UNTURNED + twist + twist @ twist / np.maximum(both, 1e-9)
    is_opposite = both[..., 0, 0] < 1e-9
    if is_opposite.any():  # half a turn about any perpendicular axis is smallest
        away = source[is_opposite]
        axis = unit_vectors(np.cross(away, _UNTURNED[np.abs(away).argmin(-1)]))
        turns[is_opposite] = 2 * axis[:, :, None] * axis[:, None] - _UNTURNED
    return turns
