"""Poses: frames of motion capture, varied, as rotations of a body's bones.

A pose is kept as the rotations of pelvis, chest and head and the directions of eight
limbs, which fit bodies of any proportions exactly.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from mmhot.skeletons.joints import get_skeleton

_H36M = get_skeleton('h36m-17')
# Start and end of each limb; a person's upper before lower ones.
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
_LEFT, _FRONT = np.array((1.0, 0.0, 0.0)), np.array((0.0, -1.0, 0.0))
# How often a pose is changed in which way.
_OTHER_ARMS, _OTHER_LEGS, _FREE_ARM, _FREE_LEG = 0.3, 0.18, 0.18, 0.08
_SEATED, _SQUATTING, _LEANING, _TUMBLING = 0.2, 0.06, 0.22, 0.02
_TURNED_HEAD, _MIRRORED = 0.5, 0.5
# Who lies: on the back, the belly, or a side, by how many degrees it is turned, and how
# often; how often the legs are bent and the chest is raised.
_LYING_ON = ((0, 0.45), (180, 0.2), (90, 0.175), (-90, 0.175))
_BENT_LEGS, _RAISED_CHEST = 0.6, 0.4
# Exercises and how often they are done; of each, degrees by which the back bends
# forward, legs are flexed, knees bent, arms raised.
_EXERCISES = (
    ('as it is', 0.2),
    ('handstand', 0.16),
    ('cartwheel', 0.12),
    ('rolled up', 0.2),
    ('jump', 0.12),
    ('free', 0.2),
)
_LIMITS = {
    'handstand': ((-20, 15), (-40, 70), (0, 60), (150, 180)),
    'cartwheel': ((-10, 15), (-20, 50), (0, 40), (100, 180)),
    'rolled up': ((25, 75), (90, 140), (60, 145), (20, 110)),
    'jump': ((-15, 30), (-40, 110), (0, 120), (0, 180)),
    'free': ((-25, 60), (-35, 130), (0, 140), (0, 180)),
}
# Degrees by which the straightest knees of a clip are bent that shows people on their
# legs: as they were, and more than that is the skeleton's, of which no more is taken
# off than the last; clips in which nobody straightens a leg lose as much as is usual.
_STRAIGHT, _BENT, _USUAL, _MOST = 5.0, 35.0, 15.0, 25.0


@dataclass
class Pose:
    """Rotations of the trunk from rest, and directions of limbs, z up.

    Attributes:
        pelvis (Rotation): Of the pelvis.
        chest (Rotation): Of the chest.
        head (Rotation): Of the head.
        limbs (dict[str, np.ndarray]): Unit vectors, see ``LIMBS``.
        seated (bool): Whether something should be under it.
    """

    pelvis: Rotation
    chest: Rotation
    head: Rotation
    limbs: dict[str, np.ndarray]
    seated: bool = False


class PoseSampler:
    """Draw poses from motion capture.

    A kind of motion comes as often as the square root of its length.

    Args:
        clips (Mapping[str, np.ndarray]): Of each name, such as 'S05/05_01', joints of
            Human3.6M in meters, z up, (T, 17, 3).
        lying (float): Share who lie on the floor; by default only those who tumbled do.
        acrobatic (float): Share who do gymnastics: handstands, cartwheels, rolls, jumps
            and limbs anywhere within their limits, the body turned any way.
    """

    def __init__(
        self,
        clips: Mapping[str, np.ndarray],
        lying: float = 0.0,
        acrobatic: float = 0.0,
    ) -> None:
        self.lying, self.acrobatic = lying, acrobatic
        kinds = defaultdict(list)
        for name, clip in clips.items():
            kinds[_kind_of_motion(name)].append(clip)
        self.clips = [
            (clip, (*_leaning(clip), _bending(clip)))
            for kind in kinds.values()
            for clip in kind
        ]
        frames = {name: sum(map(len, kind)) for name, kind in kinds.items()}
        weights = [
            np.sqrt(frames[name]) * len(clip) / frames[name]
            for name, kind in kinds.items()
            for clip in kind
        ]
        self.weights = np.array(weights) / np.sum(weights)

    def __call__(self, rng: np.random.Generator) -> Pose:
        """Draw one."""
        pose = self._frame(rng)
        pose = self._mixed(pose, rng)
        if self.acrobatic and rng.random() < self.acrobatic:
            pose = _exercise(pose, rng)
            return _mirrored(pose) if rng.random() < _MIRRORED else pose
        pose = self._resting(pose, rng)
        for side in ('left', 'right'):
            if rng.random() < _FREE_ARM:
                pose = _free_arm(pose, side, rng)
            if not pose.seated and rng.random() < _FREE_LEG:
                pose = _free_leg(pose, side, rng)
        if rng.random() < _TURNED_HEAD:
            turn = rng.normal(0, np.radians((30, 15, 10)))
            pose = replace(pose, head=pose.head * Rotation.from_euler('ZXY', turn))
        if rng.random() < _LEANING:
            lean = rng.normal(0, np.radians((14, 10, 0)))
            pose = _turned(pose, Rotation.from_rotvec(lean), pose.seated)
        if rng.random() < _TUMBLING:
            pose = _turned(pose, Rotation.random(random_state=rng), False)
            pose = replace(pose, seated=False)
        return _mirrored(pose) if rng.random() < _MIRRORED else pose

    def _resting(self, pose: Pose, rng: np.random.Generator) -> Pose:
        """Lie, sit or squat, or not."""
        # without a draw where nobody lies, so that a seed's people stay the same
        if self.lying and rng.random() < self.lying:
            return _lie(pose, rng)
        if rng.random() < _SEATED:
            return _seat(pose, rng)
        if rng.random() < _SQUATTING:
            return _squat(pose, rng)
        return pose

    def _frame(self, rng: np.random.Generator) -> Pose:
        clip, constants = self.clips[rng.choice(len(self.clips), p=self.weights)]
        return _from_joints(clip[rng.integers(len(clip))].astype(float), constants)

    def _mixed(self, pose: Pose, rng: np.random.Generator) -> Pose:
        """Take arms and head, or legs, of another frame."""
        if rng.random() < _OTHER_ARMS:
            other = self._frame(rng)
            turn = pose.chest * other.chest.inv()
            limbs = pose.limbs | _turned_limbs(other, turn, arms=True)
            pose = replace(pose, head=turn * other.head, limbs=limbs)
        if rng.random() < _OTHER_LEGS:
            other = self._frame(rng)
            turn = pose.pelvis * other.pelvis.inv()
            limbs = pose.limbs | _turned_limbs(other, turn, arms=False)
            pose = replace(pose, limbs=limbs)
        return pose


def _kind_of_motion(name: str) -> str:
    """Subjects do one kind of thing; 'mix' is named by activity."""
    subject, _, clip = name.partition('/')
    return re.sub(r'[_\d]+(p\d+)?$', '', clip) if subject == 'mix' else subject


def _leaning(clip: np.ndarray) -> tuple[float, float]:
    """Pitch of the pelvis against the chest, and of the head, that a skeleton has."""
    frames = clip[:: max(1, len(clip) // 60)].astype(float)
    raw = [_trunk(joints) for joints in frames]
    pelvis = [(chest.inv() * pelvis).as_rotvec()[0] for pelvis, chest, _ in raw]
    head = [(chest.inv() * head).as_rotvec()[0] for _, chest, head in raw]
    return float(np.median(pelvis)), float(np.median(head))


def _bending(clip: np.ndarray) -> float:
    """Angle by which a skeleton's straight knees are bent."""
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


def frame_of(up: np.ndarray, left: np.ndarray) -> Rotation:
    """Rotation that takes the z axis to ``up`` and the x axis near to ``left``."""
    up = up / np.linalg.norm(up)
    left = left - up * (left @ up)
    left = left / np.linalg.norm(left)
    return Rotation.from_matrix(np.stack([left, np.cross(up, left), up], 1))


def _from_joints(joints: np.ndarray, constants: tuple[float, float, float]) -> Pose:
    pelvis, chest, head = _trunk(joints)
    of_pelvis, of_head, of_knees = constants
    # what is constant is the skeleton's; half of it each, and upright is upright
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


def _straightened(
    limbs: dict[str, np.ndarray], side: str, angle: float
) -> dict[str, np.ndarray]:
    """A leg whose knee is bent less, by up to an angle; half of it in either part."""
    thigh, shin = limbs[f'{side}_thigh'], limbs[f'{side}_shin']
    hinge = np.cross(thigh, shin)
    bent = np.arctan2(np.linalg.norm(hinge), thigh @ shin)
    turn = Rotation.from_rotvec(unit(hinge) * min(angle, bent) / 2)
    return {
        f'{side}_thigh': turn.apply(thigh),
        f'{side}_shin': turn.inv().apply(shin),
    }


def _seat(pose: Pose, rng: np.random.Generator) -> Pose:
    """Sit: trunk about upright, thighs forward, shins down or crossed."""
    yaw = heading(pose.pelvis)
    upright = yaw * Rotation.from_euler('x', rng.normal(np.radians(-5), np.radians(12)))
    pose = _onto(pose, upright)
    limbs = dict(pose.limbs)
    for sign, side in ((1, 'left'), (-1, 'right')):
        thigh, spread = rng.normal((88, 14), (14, 14))
        knee = np.clip(rng.normal(88, 25), 5, 140)
        limbs |= _leg(yaw, side, sign, thigh, spread, knee, rng.normal(0, 12))
    return replace(pose, limbs=limbs, seated=True)


def _squat(pose: Pose, rng: np.random.Generator) -> Pose:
    """Crouch or kneel: both legs bent, the trunk leaning forward."""
    yaw = heading(pose.pelvis)
    lean = np.radians(rng.uniform(5, 50))
    pose = _onto(pose, yaw * Rotation.from_euler('x', lean))
    limbs = dict(pose.limbs)
    for sign, side in ((1, 'left'), (-1, 'right')):
        kneeling = rng.random() < 0.3
        thigh = rng.uniform(-5, 20) if kneeling else rng.uniform(70, 130)
        knee = rng.uniform(80, 110) if kneeling else thigh + rng.uniform(-5, 30)
        limbs |= _leg(yaw, side, sign, thigh, rng.normal(18, 15), knee, 0)
    return replace(pose, limbs=limbs)


def _lie(pose: Pose, rng: np.random.Generator) -> Pose:
    """Lie on the back, the belly or a side, perhaps with bent legs, chest raised."""
    turns, shares = zip(*_LYING_ON, strict=True)
    roll = rng.choice(turns, p=shares) + rng.normal(0, 18)
    down = Rotation.from_euler('XZ', (rng.normal(-90, 10), roll), degrees=True)
    pose = _onto(pose, heading(pose.pelvis) * down)
    for sign, side in ((1, 'left'), (-1, 'right')):
        if rng.random() < _BENT_LEGS:
            thigh, knee = rng.uniform(-10, 110), rng.uniform(0, 130)
            leg = _leg(pose.pelvis, side, sign, thigh, rng.normal(10, 18), knee, 0)
            pose = replace(pose, limbs=pose.limbs | leg)
    if rng.random() < _RAISED_CHEST:
        # away from the floor: a back bends forward more than backward
        most = -35 if pose.pelvis.apply(_FRONT)[2] < -0.5 else 60
        raised = pose.pelvis.apply(_LEFT) * np.radians(most * rng.random())
        pose = _turned(pose, Rotation.from_rotvec(raised), keep_legs=True)
    return pose


def _exercise(pose: Pose, rng: np.random.Generator) -> Pose:
    """Do gymnastics; a sport decides limbs and trunk, and how the body is turned."""
    kinds, shares = zip(*_EXERCISES, strict=True)
    kind = rng.choice(kinds, p=shares)
    if kind != 'as it is':
        pose = _onto(pose, heading(pose.pelvis))
        bend, legs, knees, arm = _LIMITS[kind]
        forward = np.radians(rng.uniform(*bend))
        chest = pose.pelvis * Rotation.from_euler('x', forward)
        chest = chest * Rotation.from_euler('ZY', rng.normal(0, 0.2, 2))
        head = chest * Rotation.from_euler('xyz', rng.normal(0, 0.3, 3))
        pose = replace(pose, chest=chest, head=head)
        flexion, knee = rng.uniform(*legs), rng.uniform(*knees)
        apart = rng.random() < 0.5
        for sign, side in ((1, 'left'), (-1, 'right')):
            own = rng.uniform(*legs) if apart else flexion + rng.normal(0, 8)
            bent = rng.uniform(*knees) if apart else knee + rng.normal(0, 8)
            spread = rng.normal(12, 22)
            limbs = _leg(pose.pelvis, side, sign, own, spread, max(bent, 0), 0)
            limbs |= _arm(pose.chest, side, sign, rng.uniform(*arm), rng)
            pose = replace(pose, limbs=pose.limbs | limbs)
    return _turned(pose, _draw_turn(kind, rng), keep_legs=False)


def _arm(
    chest: Rotation, side: str, sign: int, raised: float, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Directions of an arm that is raised so far forward or sideways, degrees."""
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


def _draw_turn(kind: str, rng: np.random.Generator) -> Rotation:
    """Draw how a body is turned in an exercise."""
    if kind == 'handstand':
        over = Rotation.from_euler('x', np.pi + rng.normal(0, 0.4))
        return Rotation.from_euler('z', rng.uniform(-np.pi, np.pi)) * over
    if kind == 'cartwheel':
        over = Rotation.from_euler('y', rng.uniform(0.3, 2 * np.pi - 0.3))
        return over * Rotation.from_euler('x', rng.normal(0, 0.25))
    if kind == 'jump':
        return Rotation.from_rotvec(rng.normal(0, 0.35, 3))
    return Rotation.random(random_state=rng)


def at_table(pose: Pose, rng: np.random.Generator) -> Pose:
    """Have arms forward, as on a table or a wheel, or a hand at the face."""
    limbs = dict(pose.limbs)
    for sign, side in ((1, 'left'), (-1, 'right')):
        kind = rng.random()
        if kind < 0.15:
            continue
        upper = rng.normal((sign * 0.25, -0.45, -0.8), 0.2)
        # to the face, or onto the table
        ends = (-sign * 0.25, -0.45, 0.85) if kind < 0.4 else (-sign * 0.2, -1, 0.0)
        fore = rng.normal(ends, 0.22)
        limbs[f'{side}_upperarm'] = pose.chest.apply(unit(upper))
        limbs[f'{side}_forearm'] = pose.chest.apply(unit(fore))
    return replace(pose, limbs=limbs)


def _leg(
    frame: Rotation,
    side: str,
    sign: int,
    flexion: float,
    spread: float,
    knee: float,
    twist: float,
) -> dict[str, np.ndarray]:
    """Directions of a leg; degrees: flexed forward, spread sideways, knee bent."""
    ahead, aside, bend = np.radians((flexion, sign * spread, knee))
    thigh = np.array(
        (np.sin(aside), -np.sin(ahead) * np.cos(aside), -np.cos(ahead) * np.cos(aside))
    )
    hinge = unit(_LEFT - thigh * thigh[0])
    hinge = Rotation.from_rotvec(thigh * np.radians(sign * twist)).apply(hinge)
    shin = Rotation.from_rotvec(hinge * bend).apply(thigh)
    limbs = {f'{side}_thigh': thigh, f'{side}_shin': shin}
    return {name: frame.apply(direction) for name, direction in limbs.items()}


def _free_arm(pose: Pose, side: str, rng: np.random.Generator) -> Pose:
    sign = 1 if side == 'left' else -1
    direction = rng.normal((sign * 0.5, -0.3, -0.1), 0.6)
    upper = pose.chest.apply(unit(direction))
    axis = unit(np.cross(upper, pose.chest.apply(rng.normal((0, -1, 0.4), 0.4))))
    bend = Rotation.from_rotvec(axis * np.radians(rng.uniform(0, 145)))
    limbs = {f'{side}_upperarm': upper, f'{side}_forearm': bend.apply(upper)}
    return replace(pose, limbs=pose.limbs | limbs)


def _free_leg(pose: Pose, side: str, rng: np.random.Generator) -> Pose:
    sign = 1 if side == 'left' else -1
    flexion = rng.uniform(-30, 120)
    knee = rng.uniform(0, 130) if flexion > 20 else rng.uniform(0, 100)
    leg = _leg(pose.pelvis, side, sign, flexion, rng.normal(15, 25), knee, 0)
    return replace(pose, limbs=pose.limbs | leg)


def heading(rotation: Rotation) -> Rotation:
    """The turn about the vertical alone."""
    left = rotation.apply(_LEFT)
    return Rotation.from_euler('z', np.arctan2(left[1], left[0]))


def _onto(pose: Pose, pelvis: Rotation) -> Pose:
    """Turn all of it so that the pelvis has this rotation."""
    return _turned(pose, pelvis * pose.pelvis.inv(), keep_legs=False)


def _turned(pose: Pose, turn: Rotation, keep_legs: bool) -> Pose:
    limbs = pose.limbs | _turned_limbs(pose, turn, arms=True)
    if not keep_legs:
        limbs |= _turned_limbs(pose, turn, arms=False)
    return replace(
        pose,
        pelvis=pose.pelvis if keep_legs else turn * pose.pelvis,
        chest=turn * pose.chest,
        head=turn * pose.head,
        limbs=limbs,
    )


def _turned_limbs(pose: Pose, turn: Rotation, arms: bool) -> dict[str, np.ndarray]:
    """Its arms, or its legs, after a turn."""
    return {
        name: turn.apply(direction)
        for name, direction in pose.limbs.items()
        if ('arm' in name) == arms
    }


def _mirrored(pose: Pose) -> Pose:
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


def unit(vector: np.ndarray) -> np.ndarray:
    """The vector's direction; zeros of zeros."""
    return vector / max(np.linalg.norm(vector), 1e-9)
