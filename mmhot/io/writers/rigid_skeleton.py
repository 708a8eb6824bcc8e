"""Joint rotations of a skeleton with constant bone lengths, from joint positions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy  # its modules are loaded at first use

from mmhot.geometry.rotations import quaternions_of, rotation_matrices
from mmhot.geometry.smooth_fits import normal_bands
from mmhot.io.writers.rigs import FINGERS, PHALANGES, TOE, TOE_END, TYPICAL_SHIN, Rig
from mmhot.skeletons.joint_angles import unit_vectors
from mmhot.skeletons.joints import ANKLE_HEIGHT, Skeleton, get_skeleton

Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""Rotation from z up to y up; x stays."""
# Feet are level up to this height of the ankle above that of standing people, in
# meters less and less, unless a shin leans further, in radians.
_LIFTED, _LEANING = 0.15, np.radians(45)
# Standard deviations of a foot's direction, in radians, and of its turn for each meter
# that the ankle moves; smallest such path between frames; largest correction.
_YAW_ERROR, _TURN, _STILL, _MOST_YAW = 0.2, 10.0, 3e-4, np.radians(30)
_ENDS = get_skeleton('h36m-24')


@dataclass
class RigidMotion:
    """Motion of a skeleton with constant bone lengths."""

    # parent of each joint, -1 for the root; parents come before their children
    parents: tuple[int, ...]
    # joint positions in the axes of the parent in the rest pose, (K, 3): x to the left
    # of the person, y up, z forward; 0 for the root
    offsets: np.ndarray
    root: np.ndarray  # root positions, (T, 3)
    # matrices (T, K, 3, 3) from the axes of a joint to those of its parent, of the root
    # to the world
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
        axes = np.empty_like(self.rotations)
        positions = np.empty(axes.shape[:-1])
        for joint, parent in enumerate(self.parents):
            if parent < 0:
                positions[:, joint] = self.root
                axes[:, joint] = self.rotations[:, joint]
                continue
            axes[:, joint] = axes[:, parent] @ self.rotations[:, joint]
            arm = axes[:, parent] @ self.offsets[joint]
            positions[:, joint] = positions[:, parent] + arm
        return positions, axes


def place_bones(
    motion: RigidMotion, rig: Rig
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return where the bones of a rig are in the world: z up, meters.

    Positions (T, 3) and quaternions w, x, y, z (T, 4) by the rig's name of the bone are
    those of a ``.bvh``. ``LeftFootMod`` and ``RightFootMod`` have the position of the
    foot and the rotation of the toe, as retargeting to robots expects.
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
    """Return quaternions x, y, z, w of matrices (T, K, 3, 3), of continuous signs."""
    values = quaternions_of(rotations)
    values[0] *= np.where(values[0, :, 3:] < 0, -1, 1)
    flips = np.where((values[1:] * values[:-1]).sum(-1) < 0, -1, 1)
    values[1:] *= np.cumprod(flips, axis=0)[..., None]
    return values


def fit_rig(
    positions: np.ndarray, rig: Rig, names: Sequence[str] = _ENDS.joints
) -> RigidMotion:
    """Fit the rig of a program to a person on a floor: a motion of ``rig.joints``.

    What Human3.6M's joints leave open is chosen: bones with one child do not twist
    against their parent; feet point where shins do, and those near the floor are level.
    The joints of ``h36m-24`` turn feet, hands and head, fingers the hands.

    Positions (T, K, 3) of ``h36m-17`` or ``h36m-24`` and of fingers, with these names,
    are in meters, z up from the floor, without NaN.
    """
    positions = np.asarray(positions, np.float64)
    seen = dict(zip(names, positions.swapaxes(0, 1), strict=False))
    body = fit_rigid_skeleton(
        rig.places @ positions[:, : rig.places.shape[1]], rig.skeleton
    )
    joints, num_frames = rig.joints, len(body.root)
    parents, offsets = list(body.parents), list(body.offsets)
    feet = [joints.index(f'{side}_foot') for side in ('left', 'right')]
    for foot in feet:
        scale = np.linalg.norm(offsets[foot]) / TYPICAL_SHIN
        parents += [foot, len(parents)]
        offsets += [scale * TOE, scale * TOE_END]
    toes = np.broadcast_to(np.eye(3), (num_frames, 4, 3, 3))
    rotations = np.concatenate([body.rotations, toes], axis=1)
    motion = RigidMotion(tuple(parents), np.array(offsets), body.root, rotations)
    if 'nose' in seen:
        _turn_ends(motion, joints, seen)
    else:
        _level_feet(motion, feet)
    if num_frames > 1:
        _hold_feet(motion, feet)
    for side in rig.hands:
        motion = _add_fingers(motion, joints, seen, side)
    return motion


def joint_errors(motion: RigidMotion, rig: Rig, positions: np.ndarray) -> np.ndarray:
    """Return how far Human3.6M's joints are from their positions, meters, (T, 17)."""
    moved = motion.positions()[:, rig.lifted]
    return np.linalg.norm(moved - positions[:, : len(rig.lifted)], axis=-1)


def describe_errors(errors: np.ndarray) -> str:
    """Describe what constant bones leave of :func:`joint_errors`, for users."""
    mean, most = 1000 * errors.mean(), 1000 * errors.max()
    return f'constant bones: joints {mean:.0f} mm off, at most {most:.0f} mm'


def _turn_ends(
    motion: RigidMotion, joints: tuple[str, ...], seen: dict[str, np.ndarray]
) -> None:
    """Turn feet, hands and head as the joints of ``h36m-24`` show, in place."""
    _, axes = motion.placed()

    def turn(joint: str, target: np.ndarray) -> None:
        _turn_to(motion, joints.index(joint), axes, target)

    for side in ('left', 'right'):
        sole = unit_vectors(seen[f'{side}_big_toe'] - seen[f'{side}_heel'])
        shin = seen[f'{side}_knee'] - seen[f'{side}_foot']
        left = unit_vectors(np.cross(shin, sole))
        turn(f'{side}_foot', np.stack([left, np.cross(sole, left), sole], axis=-1))
        wrist = joints.index(f'{side}_wrist')
        forearm = axes[:, motion.parents[wrist]]
        hand = seen[f'{side}_hand'] - seen[f'{side}_wrist']
        bend = _least_rotation(forearm @ motion.offsets[wrist], hand)
        turn(f'{side}_wrist', bend @ forearm)
    shoulders = (seen['left_shoulder'] + seen['right_shoulder']) / 2
    neck, head = joints.index('neck_base'), joints.index('head')
    up = unit_vectors(axes[:, neck] @ motion.offsets[head])
    ears = 0.75 * seen['head'] + 0.25 * shoulders
    left = axes[:, neck, :, 0]
    left = left - (left * up).sum(-1, keepdims=True) * up
    twist = _least_rotation(left, np.cross(up, seen['nose'] - ears))
    turn('neck_base', twist @ axes[:, neck])


def _add_fingers(
    motion: RigidMotion, joints: tuple[str, ...], seen: dict[str, np.ndarray], side: str
) -> RigidMotion:
    """Turn a hand as its knuckles show, and add its fingers: straight ones at rest."""
    wrist, sign = joints.index(f'{side}_wrist'), 1 if side == 'left' else -1
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
            turned = _least_rotation(axes @ knuckle, bone) @ axes
            turns.append(np.swapaxes(axes, -1, -2) @ turned)
            axes = turned
        turns.append(np.broadcast_to(np.eye(3), hand.shape))
    rotations = np.stack(turns, axis=1)
    return RigidMotion(tuple(parents), np.array(offsets), motion.root, rotations)


def _turn_to(
    motion: RigidMotion, joint: int, axes: np.ndarray, target: np.ndarray
) -> None:
    """Turn a joint to target axes (T, 3, 3), given those of all (T, K, 3, 3)."""
    above = np.swapaxes(axes[:, motion.parents[joint]], -1, -2)
    motion.rotations[:, joint] = above @ target


def _level_feet(motion: RigidMotion, feet: list[int]) -> None:
    """Turn feet near the floor until they are level, in place."""
    positions, axes = motion.placed()
    for foot in feet:
        turn = _least_turn(axes[:, foot, :, 1], np.array([0.0, 0.0, 1.0]))
        angle = np.linalg.norm(turn, axis=-1)
        leaning = ((np.pi / 2 - angle) / (np.pi / 2 - _LEANING)).clip(0, 1)
        height = positions[:, foot, 2] - ANKLE_HEIGHT
        share = leaning * (1 - height / _LIFTED).clip(0, 1)
        share *= np.minimum(angle, _LEANING) / angle.clip(1e-9)
        level = rotation_matrices(turn * share[:, None])
        _turn_to(motion, foot, axes, level @ axes[:, foot])


def _hold_feet(motion: RigidMotion, feet: list[int]) -> None:
    """Keep the direction of feet whose ankles rest, in place."""
    positions, axes = motion.placed()
    for foot in feet:
        x, y, _ = np.moveaxis(axes[:, foot, :, 2], -1, 0)
        seen = np.unwrap(np.arctan2(y, x))
        weights = (x**2 + y**2) / _YAW_ERROR**2 + 1e-6
        path = np.linalg.norm(np.diff(positions[:, foot], axis=0), axis=-1)
        stiff = 1 / (_TURN * np.maximum(path, _STILL))
        bands = normal_bands(stiff * [[-1], [1]], len(seen))
        bands[0] += weights
        turn = scipy.linalg.solveh_banded(bands, weights * seen, lower=True) - seen
        turn = turn.clip(-_MOST_YAW, _MOST_YAW)
        held = rotation_matrices(turn[:, None] * [0, 0, 1])
        _turn_to(motion, foot, axes, held @ axes[:, foot])


def fit_rigid_skeleton(positions: np.ndarray, skeleton: Skeleton) -> RigidMotion:
    """Fit a skeleton with constant bone lengths to positions (T, K, 3), z up.

    Bones get their median length. In the rest pose, limbs are straight: legs down, arms
    to the sides; all others have their mean angles to hips or shoulders. From the root
    outwards, every joint is then rotated so that its bones point at the given
    positions, which keeps the errors of inner joints from adding up. Joints with one
    bone rotate as little as possible. The root is first, and one joint is the 'thorax'.
    """
    positions = np.asarray(positions, np.float64)
    parents, offsets = skeleton.parents, _rest_offsets(positions, skeleton)
    places, axes = np.empty_like(positions), np.empty((*positions.shape, 3))
    below = [
        [child for child, above in enumerate(parents) if above == joint]
        for joint in range(len(parents))
    ]
    # the root may move too: its error is shared with its neighbors
    around = [0, *below[0]]
    center, middle = positions[:, around].mean(1), offsets[around].mean(0)
    seen = positions[:, around] - center[:, None]
    axes[:, 0] = _best_rotation(offsets[around] - middle, seen)
    places[:, 0] = center - axes[:, 0] @ middle
    for joint, parent in [*enumerate(parents)][1:]:
        places[:, joint] = places[:, parent] + axes[:, parent] @ offsets[joint]
        rest = offsets[below[joint]]
        bones = positions[:, below[joint]] - places[:, joint, None]
        if len(rest) > 1:
            axes[:, joint] = _best_rotation(rest, bones)
        elif len(rest):
            turned = axes[:, parent] @ rest[0]
            axes[:, joint] = _least_rotation(turned, bones[:, 0]) @ axes[:, parent]
        else:
            axes[:, joint] = axes[:, parent]
    local = axes.copy()
    above = np.swapaxes(axes[:, list(parents[1:])], -1, -2)
    local[:, 1:] = above @ axes[:, 1:]
    return RigidMotion(tuple(parents), offsets, places[:, 0], local)


def _rest_offsets(positions: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Compute offsets (K, 3) of the rest pose: standing, arms to the sides."""
    offsets = np.zeros((skeleton.num_keypoints, 3))
    trunk = positions[:, skeleton.index('thorax')] - positions[:, 0]
    frames = {
        skeleton.parents[left]: _frame_across(positions, left, right, trunk)
        for left, right in skeleton.flip_pairs
        if skeleton.parents[left] == skeleton.parents[right]
    }
    for parent, child in skeleton.bones:
        bones = positions[:, child] - positions[:, parent]
        length = np.median(np.linalg.norm(bones, axis=-1))
        direction = _limb_direction(skeleton.joints[child])
        if parent in frames or direction is None:
            while parent not in frames:
                parent = skeleton.parents[parent]
            direction = np.einsum('tij,tj->ti', frames[parent], bones).mean(0)
        norm = max(np.linalg.norm(direction), 1e-9)
        offsets[child] = direction * (length / norm)
    return offsets


def _limb_direction(joint: str) -> np.ndarray | None:
    """Return the direction (3,) of a limb's bone in the rest pose."""
    if joint.endswith(('knee', 'foot', 'ankle')):
        return np.array([0.0, -1.0, 0.0])
    if joint.endswith(('elbow', 'wrist', 'hand_end')):
        return np.array([1.0 if joint.startswith('left') else -1.0, 0.0, 0.0])
    return None


def _frame_across(
    positions: np.ndarray, left: int, right: int, trunk: np.ndarray
) -> np.ndarray:
    """Compute axes left, up, forward (rows) from a joint pair and the trunk."""
    across = unit_vectors(positions[:, left] - positions[:, right])
    forward = unit_vectors(np.cross(across, trunk))
    return np.stack([across, np.cross(forward, across), forward], axis=-2)


def _best_rotation(rest: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Rotate ``rest`` (N, 3) as close as possible to ``seen`` (T, N, 3): (T, 3, 3)."""
    u, _, vt = np.linalg.svd(np.swapaxes(seen, -1, -2) @ rest)
    u[..., -1] *= np.linalg.det(u @ vt)[:, None]
    return u @ vt


def _least_rotation(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Compute the smallest rotations (T, 3, 3) between directions (T, 3)."""
    return rotation_matrices(_least_turn(source, target))


def _least_turn(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Compute the smallest rotation vectors (T, 3) between directions (T, 3)."""
    source, target = unit_vectors(source), unit_vectors(target)
    axis = np.cross(source, target)
    sine = np.linalg.norm(axis, axis=-1)
    angle = np.arctan2(sine, (source * target).sum(-1))
    # opposite directions: any perpendicular axis
    spare = np.cross(source, np.eye(3)[np.abs(source).argmin(-1)])
    axis = np.where((sine > 1e-9)[:, None], axis, spare)
    return unit_vectors(axis) * angle[:, None]
