"""Poses as rotations of the trunk and directions of limbs, from joint positions.

This representation fits bodies of any proportions exactly.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from mmhot import get_skeleton

_H36M = get_skeleton('h36m-17')
# Start and end of each limb, upper before lower ones.
LIMBS = {
    f'{side}_{limb}': (f'{side}_{start}', f'{side}_{end}')
    for side in ('left', 'right')
    for limb, start, end in (
        ('upperarm', 'shoulder', 'elbow'),
        ('forearm', 'elbow', 'wrist'),
        ('thigh', 'hip', 'knee'),
        ('shin', 'knee', 'foot'),
    )
}
_MIRROR = np.array((-1.0, 1.0, 1.0))
LEFT, FRONT = np.array((1.0, 0.0, 0.0)), np.array((0.0, -1.0, 0.0))
# Degrees of bending of the straightest knees in a clip: the actual bending of people
# who stand, the maximum of people who stand, the usual excess of the skeleton, which
# clips without standing people get, and the maximum excess to remove.
_STRAIGHT, _BENT, _USUAL, _MOST = 5.0, 35.0, 15.0, 25.0


@dataclass
class Pose:
    """Rotations of the trunk from rest, and directions of limbs, z up.

    Attributes:
        pelvis (Rotation): Of the pelvis.
        chest (Rotation): Of the chest.
        head (Rotation): Of the head.
        limbs (dict[str, np.ndarray]): Unit vectors, see ``LIMBS``.
        seated (bool): Whether it needs a seat.
    """

    pelvis: Rotation
    chest: Rotation
    head: Rotation
    limbs: dict[str, np.ndarray]
    seated: bool = False


def pose_from_joints(joints: np.ndarray, constants: tuple[float, float, float]) -> Pose:
    """Convert Human3.6M's joints (17, 3) to a pose.

    Args:
        joints (np.ndarray): Meters, z up.
        constants (tuple): The skeleton's :func:`trunk_pitch` and :func:`knee_excess`.
    """
    pelvis, chest, head = _trunk(joints)
    of_pelvis, of_head, of_knees = constants
    # remove the skeleton's constant pitch, half from pelvis and chest each
    pelvis = pelvis * Rotation.from_euler('x', -of_pelvis / 2)
    chest = chest * Rotation.from_euler('x', of_pelvis / 2)
    head = head * Rotation.from_euler('x', of_pelvis / 2 - of_head)
    limbs = {
        name: unit(joints[_H36M.index(end)] - joints[_H36M.index(start)])
        for name, (start, end) in LIMBS.items()
    }
    for side in ('left', 'right'):
        limbs |= _straightened(limbs, side, of_knees)
    return Pose(pelvis, chest, head, limbs)


def _trunk(joints: np.ndarray) -> tuple[Rotation, Rotation, Rotation]:
    """Frames of pelvis, chest and head: x to the left, z up."""

    def joint(name: str) -> np.ndarray:
        return joints[_H36M.index(name)]

    shoulders = joint('left_shoulder') - joint('right_shoulder')
    chest = frame_of(joint('thorax') - joint('spine'), shoulders)
    pelvis = frame_of(
        joint('spine') - joint('root'), joint('left_hip') - joint('right_hip')
    )
    head = frame_of(joint('head') - joint('thorax'), shoulders)
    return pelvis, chest, head


def trunk_pitch(clip: np.ndarray) -> tuple[float, float]:
    """A skeleton's median pitch of pelvis and head relative to the chest."""
    frames = clip[:: max(1, len(clip) // 60)].astype(float)
    raw = [_trunk(joints) for joints in frames]
    pelvis = [(chest.inv() * pelvis).as_rotvec()[0] for pelvis, chest, _ in raw]
    head = [(chest.inv() * head).as_rotvec()[0] for _, chest, head in raw]
    return float(np.median(pelvis)), float(np.median(head))


def knee_excess(clip: np.ndarray) -> float:
    """Angle by which a skeleton's straight knees are bent, radians."""
    frames = clip[:: max(1, len(clip) // 60)].astype(float)
    angles = []
    for side in ('left', 'right'):
        names = (f'{side}_hip', f'{side}_knee', f'{side}_foot')
        hip, knee, foot = (frames[:, _H36M.index(name)] for name in names)
        thigh, shin = knee - hip, foot - knee
        lengths = np.linalg.norm(thigh, axis=1) * np.linalg.norm(shin, axis=1)
        cosines = (thigh * shin).sum(1) / np.maximum(lengths, 1e-9)
        angles.append(np.degrees(np.arccos(cosines.clip(-1, 1))))
    straightest = np.percentile(angles, 5)
    if straightest > _BENT:
        return float(np.radians(_USUAL))
    return float(np.radians(np.clip(straightest - _STRAIGHT, 0, _MOST)))


def _straightened(
    limbs: dict[str, np.ndarray], side: str, angle: float
) -> dict[str, np.ndarray]:
    """Straighten a knee by up to an angle, half of it in thigh and shin each."""
    thigh, shin = limbs[f'{side}_thigh'], limbs[f'{side}_shin']
    hinge = np.cross(thigh, shin)
    bent = np.arctan2(np.linalg.norm(hinge), thigh @ shin)
    turn = Rotation.from_rotvec(unit(hinge) * min(angle, bent) / 2)
    return {
        f'{side}_thigh': turn.apply(thigh),
        f'{side}_shin': turn.inv().apply(shin),
    }


def leg_directions(
    frame: Rotation,
    side: str,
    sign: int,
    flexion: float,
    spread: float,
    knee: float,
    twist: float,
) -> dict[str, np.ndarray]:
    """Directions of a leg; degrees of flexion, abduction, knee and twist."""
    ahead, aside, bend = np.radians((flexion, sign * spread, knee))
    thigh = np.array(
        (np.sin(aside), -np.sin(ahead) * np.cos(aside), -np.cos(ahead) * np.cos(aside))
    )
    hinge = unit(LEFT - thigh * thigh[0])
    hinge = Rotation.from_rotvec(thigh * np.radians(sign * twist)).apply(hinge)
    shin = Rotation.from_rotvec(hinge * bend).apply(thigh)
    limbs = {f'{side}_thigh': thigh, f'{side}_shin': shin}
    return {name: frame.apply(direction) for name, direction in limbs.items()}


def raised_arm(
    chest: Rotation, side: str, sign: int, raised: float, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Directions of an arm raised forward or sideways by an angle in degrees."""
    lift, aside = np.radians(raised), rng.uniform(0, np.pi / 2)
    upper = np.array(
        (
            sign * np.sin(lift) * np.sin(aside),
            -np.sin(lift) * np.cos(aside),
            -np.cos(lift),
        )
    )
    hinge = unit(np.cross(upper, rng.normal((0, -1, 0.4), 0.4)))
    most = 40 if raised > 140 else 140
    bend = Rotation.from_rotvec(hinge * np.radians(rng.uniform(0, most)))
    limbs = {f'{side}_upperarm': upper, f'{side}_forearm': bend.apply(upper)}
    return {name: chest.apply(direction) for name, direction in limbs.items()}


def heading(rotation: Rotation) -> Rotation:
    """The rotation's part about the vertical."""
    left = rotation.apply(LEFT)
    return Rotation.from_euler('z', np.arctan2(left[1], left[0]))


def rotate_pelvis_to(pose: Pose, pelvis: Rotation) -> Pose:
    """Rotate the whole pose so that the pelvis has a rotation."""
    return rotate_pose(pose, pelvis * pose.pelvis.inv(), keep_legs=False)


def rotate_pose(pose: Pose, turn: Rotation, keep_legs: bool) -> Pose:
    """Rotate a pose, or its chest, head and arms only."""
    limbs = pose.limbs | rotate_limbs(pose, turn, arms=True)
    if not keep_legs:
        limbs |= rotate_limbs(pose, turn, arms=False)
    return replace(
        pose,
        pelvis=pose.pelvis if keep_legs else turn * pose.pelvis,
        chest=turn * pose.chest,
        head=turn * pose.head,
        limbs=limbs,
    )


def rotate_limbs(pose: Pose, turn: Rotation, arms: bool) -> dict[str, np.ndarray]:
    """Rotate the arms, or the legs."""
    return {
        name: turn.apply(direction)
        for name, direction in pose.limbs.items()
        if ('arm' in name) == arms
    }


def mirror_pose(pose: Pose) -> Pose:
    """Swap left and right."""

    def flip(rotation: Rotation) -> Rotation:
        matrix = rotation.as_matrix() * _MIRROR[:, None] * _MIRROR
        return Rotation.from_matrix(matrix)

    other = {'left': 'right', 'right': 'left'}
    limbs = {}
    for name, direction in pose.limbs.items():
        side, limb = name.split('_')
        limbs[f'{other[side]}_{limb}'] = direction * _MIRROR
    return replace(
        pose,
        pelvis=flip(pose.pelvis),
        chest=flip(pose.chest),
        head=flip(pose.head),
        limbs=limbs,
    )


def frame_of(up: np.ndarray, left: np.ndarray) -> Rotation:
    """Rotation that maps z to ``up`` and x as close as possible to ``left``."""
    up = up / np.linalg.norm(up)
    left = left - up * (left @ up)
    left = left / np.linalg.norm(left)
    return Rotation.from_matrix(np.stack([left, np.cross(up, left), up], 1))


def unit(vector: np.ndarray) -> np.ndarray:
    """Normalize a vector; zeros stay zeros."""
    return vector / max(np.linalg.norm(vector), 1e-9)
