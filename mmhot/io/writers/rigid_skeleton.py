"""Skeletons with constant bone lengths: rotations of joints from their positions.

:func:`fit_rig` fits the rig of a program to a person. It fits the joint tree
(:func:`fit_rigid_skeleton`), and then turns feet, hands and head by further points, or
levels feet on the floor.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

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

Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""Rotation from z up to y up; x stays."""
# Feet near the floor are leveled: less if the ankle is high or the foot leans.
_MAX_LIFT = 0.15  # meters above an ankle's height in standing; higher feet stay as is
_MAX_LEAN = np.radians(45)  # radians; feet that lean more are leveled less
# The direction in which a foot points is smoothed while its ankle rests.
YAW_ERROR = 0.2  # radians; deviation of the direction seen; higher smooths more
YAW_CHANGE = 10.0  # radians per meter that the ankle moves; higher smooths less
MIN_STEP = 3e-4  # meters per frame; slower ankles count as moving by this much
MAX_YAW = np.radians(30)  # radians; largest correction of a direction
_ENDS = get_skeleton('h36m-24')
_UNTURNED = np.eye(3)
FEET = [HUMAN_IK.joints.index(f'{side}_foot') for side in ('left', 'right')]
"""Indices of the feet in all rigs."""


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
        axes = self.rotations.copy()
        positions = np.empty(self.rotations.shape[:-1])
        positions[:, 0] = self.root
        for joint, parent in enumerate(self.parents[1:], 1):
            arm = axes[:, parent] @ self.offsets[joint]
            positions[:, joint] = positions[:, parent] + arm
            axes[:, joint] = axes[:, parent] @ axes[:, joint]
        return positions, axes


class Turner:
    """Turn joints of a motion, in place, to directions in the world.

    Args:
        motion (RigidMotion): The motion; its rotations are changed.

    Attributes:
        positions (np.ndarray): Joints before they were turned, meters, (T, K, 3).
        axes (np.ndarray): Axes of the joints as columns, (T, K, 3, 3). They contain
            the turns of the joints themselves, but not of joints above them.
    """

    def __init__(self, motion: RigidMotion) -> None:
        self.motion = motion
        self.positions, self.axes = motion.placed()

    def turn(self, joint: int, axes: np.ndarray) -> None:
        """Turn a joint to axes (T, 3, 3) in the world, with all joints below it."""
        above = np.swapaxes(self.axes[:, self.motion.parents[joint]], -1, -2)
        self.axes[:, joint] = axes
        self.motion.rotations[:, joint] = above @ axes

    def turn_feet(self, angles: np.ndarray) -> None:
        """Turn the feet about the vertical axis by angles in radians, (T, 2)."""
        turns = rotation_matrices(angles[..., None] * [0, 0, 1])
        for number, foot in enumerate(FEET):
            self.turn(foot, turns[:, number] @ self.axes[:, foot])


def fit_rig(
    positions: np.ndarray,
    rig: Rig,
    names: Sequence[str] = _ENDS.joints,
    rest: np.ndarray | None = None,
    hold: Callable[[Turner], None] | None = None,
) -> RigidMotion:
    """Fit the rig of a program to a person on a floor.

    Human3.6M's joints do not determine all rotations. Undetermined rotations follow
    three rules: bones with one child do not twist against their parent, feet point
    where shins do, and feet near the floor are level. The joints of ``h36m-24``
    determine the rotations of feet, hands and head; fingers determine hands more
    exactly.

    Args:
        positions (np.ndarray): Joints of ``h36m-17`` or ``h36m-24``, then fingers, in
            meters, z up from the floor, without NaN, (T, K, 3).
        rig (Rig): Joint tree of the program.
        names (Sequence[str]): Names of the K joints.
        rest (np.ndarray, optional): Offsets of the rest pose of ``rig.skeleton``,
            (J, 3). Default: :func:`rest_offsets`.
        hold (Callable, optional): Function that keeps the direction of resting feet.
            Default: a smoothing over all frames.

    Returns:
        RigidMotion: Motion of ``rig.joints``.

    Example::

        rig = BVH_PROFILES['lafan1']
        motion = fit_rig(clip.places(), rig, clip.joint_names)
        write_bvh(motion, clip.fps, 'walk.bvh', rig)
    """
    positions = np.asarray(positions, np.float64)
    seen = dict(zip(names, positions.swapaxes(0, 1), strict=False))
    places = rig.places @ positions[:, : rig.places.shape[1]]
    motion = _with_toes(fit_rigid_skeleton(places, rig.skeleton, rest))
    turner = Turner(motion)
    if 'nose' in seen:
        for side in ('left', 'right'):
            _turn_foot(turner, seen, side, rig.joints.index(f'{side}_foot'))
            _turn_hand(turner, seen, side, rig.joints.index(f'{side}_wrist'))
        _turn_head(turner, seen, *map(rig.joints.index, ('neck_base', 'head')))
    else:
        _level_feet(turner)
    if hold is not None:
        hold(turner)
    elif len(positions) > 1:
        _hold_feet(turner)
    for side in rig.hands:
        motion = _add_fingers(motion, seen, side, rig.joints.index(f'{side}_wrist'))
    return motion


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
    index = {joint: number for number, joint in enumerate(rig.joints)}
    bones = {
        name: (places[:, index[joint]], turns[:, index[joint]])
        for joint, name in rig.names.items()
    }
    for side in ('left', 'right'):
        foot = rig.names[f'{side}_foot']
        toe = rig.names[f'{side}_toe']
        bones[f'{foot}Mod'] = bones[foot][0], bones[toe][1]
    return bones


def joint_errors(motion: RigidMotion, rig: Rig, positions: np.ndarray) -> np.ndarray:
    """Measure how far constant bone lengths move joints.

    Args:
        motion (RigidMotion): Motion of ``rig.joints``.
        rig (Rig): The rig.
        positions (np.ndarray): Joints that it was fitted to, meters, (T, K, 3); the
            first 17 are Human3.6M's.

    Returns:
        np.ndarray: Distances of Human3.6M's joints in meters, (T, 17).
    """
    moved = motion.positions()[:, rig.lifted]
    return np.linalg.norm(moved - positions[:, : len(rig.lifted)], axis=-1)


def describe_errors(errors: np.ndarray) -> str:
    """Describe :func:`joint_errors`, meters (T, 17), in one line for users.

    >>> describe_errors(np.array([[0.002, 0.004]]))
    'constant bones: joints 3 mm off, at most 4 mm'
    """
    millimeters = 1000 * errors
    return (
        f'constant bones: joints {millimeters.mean():.0f} mm off, at most '
        f'{millimeters.max():.0f} mm'
    )


def _smooth_quaternions(rotations: np.ndarray) -> np.ndarray:
    """Convert matrices (T, K, 3, 3) to quaternions x, y, z, w without jumps of sign."""
    values = quaternions_of(rotations)
    values[0] *= np.where(values[0, :, 3:] < 0, -1, 1)
    flips = np.where((values[1:] * values[:-1]).sum(-1) < 0, -1, 1)
    values[1:] *= np.cumprod(flips, axis=0)[..., None]
    return values


def _with_toes(body: RigidMotion) -> RigidMotion:
    """Add toes to both feet; they do not bend."""
    parents = list(body.parents)
    offsets = list(body.offsets)
    for foot in FEET:
        scale = np.linalg.norm(offsets[foot]) / TYPICAL_SHIN
        parents += [foot, len(parents)]
        offsets += [scale * TOE, scale * TOE_END]
    toes = np.broadcast_to(np.eye(3), (len(body.root), 4, 3, 3))
    rotations = np.concatenate([body.rotations, toes], axis=1)
    return RigidMotion(tuple(parents), np.array(offsets), body.root, rotations)


def _turn_foot(
    turner: Turner, seen: dict[str, np.ndarray], side: str, foot: int
) -> None:
    """Turn a foot by its heel and toe; ``seen`` has positions (T, 3) by joint name."""
    sole = unit_vectors(seen[f'{side}_big_toe'] - seen[f'{side}_heel'])
    shin = seen[f'{side}_knee'] - seen[f'{side}_foot']
    left = unit_vectors(np.cross(shin, sole))
    turner.turn(foot, np.stack([left, np.cross(sole, left), sole], axis=-1))


def _turn_hand(
    turner: Turner, seen: dict[str, np.ndarray], side: str, wrist: int
) -> None:
    """Bend a hand towards its joint; ``seen`` has positions (T, 3) by joint name."""
    forearm = turner.axes[:, turner.motion.parents[wrist]]
    hand = seen[f'{side}_hand'] - seen[f'{side}_wrist']
    bend = least_rotation(forearm @ turner.motion.offsets[wrist], hand)
    turner.turn(wrist, bend @ forearm)


def _turn_head(
    turner: Turner, seen: dict[str, np.ndarray], neck: int, head: int
) -> None:
    """Twist the head towards the nose; ``seen`` has positions (T, 3) by joint name."""
    shoulders = (seen['left_shoulder'] + seen['right_shoulder']) / 2
    axes = turner.axes[:, neck]
    up = unit_vectors(axes @ turner.motion.offsets[head])
    ears = 0.75 * seen['head'] + 0.25 * shoulders
    left = axes[..., 0]
    left = left - (left * up).sum(-1, keepdims=True) * up
    twist = least_rotation(left, np.cross(up, seen['nose'] - ears))
    turner.turn(neck, twist @ axes)


def _level_feet(turner: Turner) -> None:
    """Turn feet near the floor until they are level."""
    x, y, z = np.moveaxis(turner.axes[:, FEET][..., 1], -1, 0)  # up from the sole
    sine = np.hypot(x, y)
    height = turner.positions[:, FEET, 2] - ANKLE_HEIGHT
    angle = np.arctan2(sine, z)
    leaning = ((np.pi / 2 - angle) / (np.pi / 2 - _MAX_LEAN)).clip(0, 1)
    share = leaning * (1 - height / _MAX_LIFT).clip(0, 1)
    turn = share * np.minimum(angle, _MAX_LEAN) / sine.clip(1e-9)
    level = rotation_matrices(np.stack([y * turn, -x * turn, 0 * turn], axis=-1))
    for number, foot in enumerate(FEET):
        turner.turn(foot, level[:, number] @ turner.axes[:, foot])


def _hold_feet(turner: Turner) -> None:
    """Keep the direction of feet while their ankles rest.

    The direction of each foot is smoothed by least squares: it stays near the direction
    seen, and hardly changes between frames in which the ankle hardly moves.
    """
    turns = []
    for foot in FEET:
        x, y, _ = np.moveaxis(turner.axes[:, foot, :, 2], -1, 0)
        seen = np.unwrap(np.arctan2(y, x))
        weights = (x**2 + y**2) / YAW_ERROR**2 + 1e-6
        path = np.linalg.norm(np.diff(turner.positions[:, foot], axis=0), axis=-1)
        stiff = 1 / (YAW_CHANGE * np.maximum(path, MIN_STEP))
        bands = normal_bands(stiff * [[-1], [1]], len(seen))
        bands[0] += weights
        held = scipy.linalg.solveh_banded(bands, weights * seen, lower=True)
        turns.append((held - seen).clip(-MAX_YAW, MAX_YAW))
    turner.turn_feet(np.stack(turns, axis=-1))


def _add_fingers(
    motion: RigidMotion, seen: dict[str, np.ndarray], side: str, wrist: int
) -> RigidMotion:
    """Turn a hand by its knuckles, and add its fingers, straight in the rest pose.

    ``seen`` has positions (T, 3) by joint name.
    """
    fingers = np.array(
        [[seen[f'{side}_{name}{number}'] for number in PHALANGES] for name in FINGERS]
    )
    palm = (fingers[:, 0] - seen[f'{side}_wrist']).swapaxes(0, 1)  # (T, 5, 3)
    left = unit_vectors(palm[:, 2]) * (1 if side == 'left' else -1)
    up = unit_vectors(np.cross(palm[:, 1] - palm[:, 4], left))
    hand = np.stack([left, up, np.cross(left, up)], axis=-1)
    knuckles = (palm @ hand).mean(0)
    hand = _best_rotation(knuckles, palm)
    Turner(motion).turn(wrist, hand)
    parents = list(motion.parents)
    offsets = list(motion.offsets)
    rotations = list(motion.rotations.swapaxes(0, 1))
    for knuckle, finger in zip(knuckles, fingers, strict=True):
        bones = np.diff(finger, axis=0)  # (3, T, 3)
        lengths = np.median(np.linalg.norm(bones, axis=-1), axis=-1)
        parents += [wrist, *range(len(parents), len(parents) + len(bones))]
        offsets += [knuckle, *(lengths[:, None] * unit_vectors(knuckle))]
        axes = hand
        for bone in bones:
            turned = least_rotation(axes @ knuckle, bone) @ axes
            rotations.append(np.swapaxes(axes, -1, -2) @ turned)
            axes = turned
        rotations.append(np.broadcast_to(np.eye(3), hand.shape))
    turns = np.stack(rotations, axis=1)
    return RigidMotion(tuple(parents), np.array(offsets), motion.root, turns)


def fit_rigid_skeleton(
    positions: np.ndarray, skeleton: Skeleton, offsets: np.ndarray | None = None
) -> RigidMotion:
    """Fit a skeleton with constant bone lengths to joint positions.

    From the root outwards, every joint is rotated so that its bones point at the given
    positions, which keeps the errors of inner joints from adding up. A joint with
    several bones gets the rotation of least squares (Kabsch 1976), and a joint with one
    bone rotates as little as possible.

    Args:
        positions (np.ndarray): Joints in meters, z up, without NaN, (T, K, 3).
        skeleton (Skeleton): Joint tree. Parents come before their children, the root
            first. One joint is called 'thorax' unless offsets are given.
        offsets (np.ndarray, optional): Offsets of the rest pose, (K, 3). Default:
            :func:`rest_offsets`.

    Returns:
        RigidMotion: The motion.

    An arm of 30 and 25 cm follows a raised forearm that is 5 cm too long:

        >>> arm = Skeleton('arm', ('shoulder', 'elbow', 'wrist'), (-1, 0, 1), (), {})
        >>> offsets = np.array([[0, 0, 0], [0.3, 0, 0], [0.25, 0, 0]])
        >>> raised = np.array([[[0, 0, 1.4], [0.3, 0, 1.4], [0.3, 0, 1.7]]])
        >>> fit_rigid_skeleton(raised, arm, offsets).positions()[0, 2].round(3)
        array([0.3 , 0.  , 1.65])
    """
    positions = np.asarray(positions, np.float64)
    offsets = rest_offsets(positions, skeleton) if offsets is None else offsets
    places = np.empty_like(positions)
    axes = np.empty((*positions.shape, 3))
    children: list[list[int]] = [[] for _ in skeleton.joints]
    for parent, child in skeleton.bones:
        children[parent].append(child)
    # The root may move, too, so that it shares its error with its neighbors.
    around = [0, *children[0]]
    center = positions[:, around].mean(1)
    middle = offsets[around].mean(0)
    seen = positions[:, around] - center[:, None]
    axes[:, 0] = _best_rotation(offsets[around] - middle, seen)
    places[:, 0] = center - axes[:, 0] @ middle
    for parent, joint in skeleton.bones:
        places[:, joint] = places[:, parent] + axes[:, parent] @ offsets[joint]
        axes[:, joint] = axes[:, parent]
        ends = children[joint]
        seen = positions[:, ends] - places[:, joint, None]
        if len(ends) == 1:
            bone = axes[:, joint] @ offsets[ends[0]]
            axes[:, joint] = least_rotation(bone, seen[:, 0]) @ axes[:, joint]
        elif ends:
            axes[:, joint] = _best_rotation(offsets[ends], seen)
    rotations = axes.copy()
    above = np.swapaxes(axes[:, list(skeleton.parents[1:])], -1, -2)
    rotations[:, 1:] = above @ axes[:, 1:]
    return RigidMotion(skeleton.parents, offsets, places[:, 0], rotations)


def rest_offsets(positions: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Compute the rest pose of a person: standing, arms to the sides.

    Bones get their median length. Limbs are straight: legs down, arms to the sides. All
    other bones keep their mean angles to hips or shoulders.

    Args:
        positions (np.ndarray): Joints in meters, (T, K, 3).
        skeleton (Skeleton): Joint tree; the root is first, and one joint is called
            'thorax'.

    Returns:
        np.ndarray: Offset of each joint from its parent, meters, (K, 3): x to the left
        of the person, y up, z forward.
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
    """Compute the rotations (T, 3, 3) of ``rest`` (N, 3) closest to ``seen`` (T, N, 3).

    This is the solution of least squares (Kabsch 1976).
    """
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
