"""Sampling of poses: frames of motion capture, varied, and poses defined by ranges."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from projects.rendered_people.render.poses import (
    FRONT,
    LEFT,
    Pose,
    heading,
    knee_excess,
    leg_directions,
    mirror_pose,
    pose_from_joints,
    raised_arm,
    rotate_limbs,
    rotate_pelvis_to,
    rotate_pose,
    trunk_pitch,
    unit,
)
from projects.rendered_people.render.postures import sample_posture

# Probabilities of variations.
_OTHER_ARMS, _OTHER_LEGS, _FREE_ARM, _FREE_LEG = 0.3, 0.18, 0.18, 0.08
_SEATED, _SQUATTING, _LEANING, _TUMBLING = 0.2, 0.06, 0.22, 0.02
_TURNED_HEAD, _MIRRORED = 0.5, 0.5
_UPRIGHT = 0.4  # share of the chest's rotation that upright poses keep
# Lying on the back, the belly or a side: rotation in degrees and probability;
# probabilities of bent legs and of a raised chest.
_LYING_ON = ((0, 0.45), (180, 0.2), (90, 0.175), (-90, 0.175))
_BENT_LEGS, _RAISED_CHEST = 0.6, 0.4
# Exercises and their probabilities; ranges of back flexion, hip flexion, knee flexion
# and arm elevation in degrees.
_EXERCISES = (
    ('unchanged', 0.2),
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


class PoseSampler:
    """Samples poses from motion capture.

    The probability of a kind of motion is proportional to the square root of its
    length.

    Args:
        clips (Mapping[str, np.ndarray]): By name, such as 'S05/05_01', joints of
            Human3.6M in meters, z up, (T, 17, 3).
        lying (float): Share of people who lie on the floor. Defaults to 0.
        acrobatic (float): Share of people who do gymnastics: handstands, cartwheels,
            rolls, jumps, and limbs anywhere within their limits with any rotation of
            the body. Defaults to 0.
        postures (float): Share of people who sit on the floor, do yoga or sports, of
            the others. Defaults to 0.
        seated (float): Minimum share of people on seats, of the others. Defaults to 0.
    """

    def __init__(
        self,
        clips: Mapping[str, np.ndarray],
        lying: float = 0.0,
        acrobatic: float = 0.0,
        postures: float = 0.0,
        seated: float = 0.0,
    ) -> None:
        self.lying, self.acrobatic = lying, acrobatic
        self.postures, self.seated = postures, max(seated, _SEATED)
        kinds = defaultdict(list)
        for name, clip in clips.items():
            kinds[_kind_of_motion(name)].append(clip)
        self.clips = [
            (clip, (*trunk_pitch(clip), knee_excess(clip)))
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
        """Sample a pose."""
        pose = self._frame(rng)
        pose = self._mixed(pose, rng)
        if self.acrobatic and rng.random() < self.acrobatic:
            pose = _exercise(pose, rng)
            return mirror_pose(pose) if rng.random() < _MIRRORED else pose
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
            pose = rotate_pose(pose, Rotation.from_rotvec(lean), pose.seated)
        if rng.random() < _TUMBLING:
            pose = rotate_pose(pose, Rotation.random(random_state=rng), False)
            pose = replace(pose, seated=False)
        return mirror_pose(pose) if rng.random() < _MIRRORED else pose

    def upright(self, rng: np.random.Generator, seated: bool = False) -> Pose:
        """Sample a pose with heading 0 and an almost upright trunk.

        Args:
            rng (np.random.Generator): Random numbers.
            seated (bool): Whether to sit instead of stand or walk. Defaults to False.
        """
        pose = self._mixed(self._frame(rng), rng)
        lean = Rotation.from_euler('xy', rng.normal(0, np.radians((5, 3))))
        pose = rotate_pelvis_to(pose, lean)
        # less bent than in many motions
        chest = lean * (lean.inv() * pose.chest) ** _UPRIGHT
        pose = rotate_pose(pose, chest * pose.chest.inv(), keep_legs=True)
        if seated:
            return seat(pose, rng)
        limbs = dict(pose.limbs)
        step = rng.normal(0, 9)
        for sign, side in ((1, 'left'), (-1, 'right')):
            flexion, spread = sign * step + 3, abs(rng.normal(2, 3))
            knee = abs(rng.normal(4, 6)) + max(-sign * step, 0)
            limbs |= leg_directions(lean, side, sign, flexion, spread, knee, 0)
        return replace(pose, limbs=limbs)

    def _resting(self, pose: Pose, rng: np.random.Generator) -> Pose:
        """Change some poses to lying, sitting, squatting, or another posture."""
        # without such people no number is drawn, so that results of a seed stay
        if self.lying and rng.random() < self.lying:
            return lie(pose, rng)
        if self.postures and rng.random() < self.postures:
            return sample_posture(pose, rng)
        if rng.random() < self.seated:
            return seat(pose, rng)
        if rng.random() < _SQUATTING:
            return _squat(pose, rng)
        return pose

    def _frame(self, rng: np.random.Generator) -> Pose:
        clip, constants = self.clips[rng.choice(len(self.clips), p=self.weights)]
        return pose_from_joints(clip[rng.integers(len(clip))].astype(float), constants)

    def _mixed(self, pose: Pose, rng: np.random.Generator) -> Pose:
        """Replace arms and head, or legs, by those of another frame."""
        if rng.random() < _OTHER_ARMS:
            other = self._frame(rng)
            turn = pose.chest * other.chest.inv()
            limbs = pose.limbs | rotate_limbs(other, turn, arms=True)
            pose = replace(pose, head=turn * other.head, limbs=limbs)
        if rng.random() < _OTHER_LEGS:
            other = self._frame(rng)
            turn = pose.pelvis * other.pelvis.inv()
            limbs = pose.limbs | rotate_limbs(other, turn, arms=False)
            pose = replace(pose, limbs=limbs)
        return pose


def _kind_of_motion(name: str) -> str:
    """The subject, who does one kind of motion; of 'mix' the activity."""
    subject, _, clip = name.partition('/')
    return re.sub(r'[_\d]+(p\d+)?$', '', clip) if subject == 'mix' else subject


def seat(pose: Pose, rng: np.random.Generator) -> Pose:
    """Sit with an upright trunk, thighs forward, shins down or crossed."""
    yaw = heading(pose.pelvis)
    upright = yaw * Rotation.from_euler('x', rng.normal(np.radians(-5), np.radians(12)))
    pose = rotate_pelvis_to(pose, upright)
    limbs = dict(pose.limbs)
    for sign, side in ((1, 'left'), (-1, 'right')):
        thigh, spread = rng.normal((88, 14), (14, 14))
        knee = np.clip(rng.normal(88, 25), 5, 140)
        limbs |= leg_directions(yaw, side, sign, thigh, spread, knee, rng.normal(0, 12))
    return replace(pose, limbs=limbs, seated=True)


def _squat(pose: Pose, rng: np.random.Generator) -> Pose:
    """Crouch or kneel with the trunk leaning forward."""
    yaw = heading(pose.pelvis)
    lean = np.radians(rng.uniform(5, 50))
    pose = rotate_pelvis_to(pose, yaw * Rotation.from_euler('x', lean))
    limbs = dict(pose.limbs)
    for sign, side in ((1, 'left'), (-1, 'right')):
        kneeling = rng.random() < 0.3
        thigh = rng.uniform(-5, 20) if kneeling else rng.uniform(70, 130)
        knee = rng.uniform(80, 110) if kneeling else thigh + rng.uniform(-5, 30)
        limbs |= leg_directions(yaw, side, sign, thigh, rng.normal(18, 15), knee, 0)
    return replace(pose, limbs=limbs)


def lie(pose: Pose, rng: np.random.Generator) -> Pose:
    """Lie on the back, the belly or a side, with optional bent legs, raised chest."""
    turns, shares = zip(*_LYING_ON, strict=True)
    roll = rng.choice(turns, p=shares) + rng.normal(0, 18)
    down = Rotation.from_euler('XZ', (rng.normal(-90, 10), roll), degrees=True)
    pose = rotate_pelvis_to(pose, heading(pose.pelvis) * down)
    for sign, side in ((1, 'left'), (-1, 'right')):
        if rng.random() < _BENT_LEGS:
            thigh, knee = rng.uniform(-10, 110), rng.uniform(0, 130)
            leg = leg_directions(
                pose.pelvis, side, sign, thigh, rng.normal(10, 18), knee, 0
            )
            pose = replace(pose, limbs=pose.limbs | leg)
    if rng.random() < _RAISED_CHEST:
        # away from the floor; backs bend forward more than backward
        most = -35 if pose.pelvis.apply(FRONT)[2] < -0.5 else 60
        raised = pose.pelvis.apply(LEFT) * np.radians(most * rng.random())
        pose = rotate_pose(pose, Rotation.from_rotvec(raised), keep_legs=True)
    return pose


def _exercise(pose: Pose, rng: np.random.Generator) -> Pose:
    """Do gymnastics: sample limbs, trunk and rotation of an exercise."""
    kinds, shares = zip(*_EXERCISES, strict=True)
    kind = rng.choice(kinds, p=shares)
    if kind != 'unchanged':
        pose = rotate_pelvis_to(pose, heading(pose.pelvis))
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
            limbs = leg_directions(
                pose.pelvis, side, sign, own, spread, max(bent, 0), 0
            )
            limbs |= raised_arm(pose.chest, side, sign, rng.uniform(*arm), rng)
            pose = replace(pose, limbs=pose.limbs | limbs)
    return rotate_pose(pose, _draw_turn(kind, rng), keep_legs=False)


def _draw_turn(kind: str, rng: np.random.Generator) -> Rotation:
    """Sample the rotation of the body in an exercise."""
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
    """Move arms forward, as on a table or a steering wheel, or hands to the face."""
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
    leg = leg_directions(pose.pelvis, side, sign, flexion, rng.normal(15, 25), knee, 0)
    return replace(pose, limbs=pose.limbs | leg)
