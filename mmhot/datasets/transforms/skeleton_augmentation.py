"""Augmentation of 3D skeletons: bent limbs, bone lengths and joint definitions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from mmhot.skeletons.joint_angles import unit_vectors
from mmhot.skeletons.joints import get_skeleton

_H36M = get_skeleton('h36m-17')
LIMBS = [
    _H36M.indices([f'{side}_{part}' for part in limb])
    for limb in (('hip', 'knee', 'foot'), ('shoulder', 'elbow', 'wrist'))
    for side in ('left', 'right')
]
"""Three joints each of left leg, right leg, left arm and right arm."""
_LEFT_LEG, _, _LEFT_ARM, _RIGHT_ARM = LIMBS
_MOVED = [joint for _, *own in LIMBS for joint in own]
_HIPS = _H36M.indices(['left_hip', 'right_hip'])
_SHOULDERS = _H36M.indices(['left_shoulder', 'right_shoulder'])
_ROOT, _THORAX, _SPINE = _H36M.indices(['root', 'thorax', 'spine'])
_NECK, _HEAD = _H36M.indices(['neck_base', 'head'])
# Matrix (17, 17) that maps joints to the vectors of the bones that end in them, and the
# root to itself
_TO_BONES = np.eye(_H36M.num_keypoints, dtype=np.float32)
for _parent, _joint in _H36M.bones:
    _TO_BONES[_joint, _parent] = -1
_TO_JOINTS = np.linalg.inv(_TO_BONES).round()


@TRANSFORMS.register_module()
@dataclass(eq=False)
class RandomStraightLimbs(BaseTransform):
    """Straighten knees and elbows of a window, and hold some windows still.

    CMU's solved skeletons stand with knees that are bent by 20 to 35 degrees. Only 2 to
    5 % of their knees are bent by less than 10 degrees, as the knees of people who
    stand, and 3 % of their elbows by less than 20. A front view does not show these
    bends, so that a lifter predicts the usual angle. To learn both, limbs are
    straightened in windows that no longer look like CMU's skeleton, because
    :class:`RandomBoneLengths` has moved the arms, or :class:`RandomJointDefinition` the
    observed joints.

    All frames have the same reduction of the angles of knees, and of elbows. It fades
    from 40 degrees on, and ends at 85. Bones keep their lengths, and hips and shoulders
    their places. Modified keys: ``joints_world`` (T, 17, 3) and, if it is there,
    ``observed_world``.
    """

    # Probability of straightening for windows with moved arms or observed joints
    prob: float = 0.9

    # Range of the reduction of both knees' angles, degrees, drawn uniformly
    knee_reduction = (10.0, 35.0)
    elbow_reduction = (0.0, 35.0)  # range for both elbows, degrees
    max_reduced_angle = 40.0  # largest angle with the whole reduction, degrees
    # Smallest angle without a reduction, degrees; the reduction falls linearly in
    # between.
    min_kept_angle = 85.0
    min_angle_share = 0.2  # least share of its size that an angle keeps
    cmu_prob = 0.1  # probability of straightening for windows with CMU's skeleton
    still_prob = 0.05  # probability that one frame replaces all frames, as in a photo

    def transform(self, results: dict) -> dict:
        """Straighten; see the class."""
        names = [x for x in ('joints_world', 'observed_world') if x in results]
        if np.random.rand() < self.still_prob:
            frame = np.random.randint(len(results['joints_world']))
            for name in names:
                still = results[name][frame : frame + 1]
                results[name] = still.repeat(len(results[name]), axis=0)
        is_cmu = names == ['joints_world'] and not results.get('arms_moved', False)
        if np.random.rand() >= (self.cmu_prob if is_cmu else self.prob):
            return results
        knees = np.random.uniform(*self.knee_reduction)
        elbows = np.random.uniform(*self.elbow_reduction)
        joints = self.straighten(results['joints_world'], knees, elbows)
        results['joints_world'] = joints
        if 'observed_world' in results:
            # Knees, elbows, feet and wrists are the same in both definitions.
            observed = results['observed_world'].copy()
            observed[:, _MOVED] = joints[:, _MOVED]
            results['observed_world'] = observed
        return results

    def straighten(self, joints: np.ndarray, knees: float, elbows: float) -> np.ndarray:
        """Reduce the angles of knees and elbows.

        The bones of a limb are rotated towards the line between its ends, each by the
        same share of its angle to that line.

        Args:
            joints (np.ndarray): Joints, (T, 17, 3).
            knees (float): Largest reduction of the knees, degrees.
            elbows (float): Largest reduction of the elbows, degrees.

        Returns:
            np.ndarray: Joints with straighter limbs, (T, 17, 3).
        """
        joints = joints.copy()
        limbs = zip(LIMBS, (knees, knees, elbows, elbows), strict=True)
        for (start, bend, end), degrees in limbs:
            bones = joints[:, [bend, end]] - joints[:, [start, bend]]
            lengths = np.linalg.norm(bones, axis=-1, keepdims=True).clip(1e-6)
            bones = bones / lengths  # (T, 2, 3), upper and lower bone
            angle = np.degrees(np.arccos(bones.prod(1).sum(-1).clip(-1, 1)))  # (T,)
            fade = self.min_kept_angle - self.max_reduced_angle
            reduction = degrees * ((self.min_kept_angle - angle) / fade).clip(0, 1)
            kept = np.maximum(angle - reduction, self.min_angle_share * angle)
            share = kept / angle.clip(1e-6)
            line = unit_vectors(joints[:, end] - joints[:, start], 1e-6)[:, None]
            # Rotate each bone towards the line, in their common plane.
            along = (bones * line).sum(-1, keepdims=True)
            across = unit_vectors(bones - along * line, 1e-6)
            turn = share[:, None, None] * np.arccos(along.clip(-1, 1))
            bones = lengths * (np.cos(turn) * line + np.sin(turn) * across)
            joints[:, bend] = joints[:, start] + bones[:, 0]
            joints[:, end] = joints[:, bend] + bones[:, 1]
        return joints


@TRANSFORMS.register_module()
@dataclass(eq=False)
class RandomBoneLengths(BaseTransform):
    """Scale the bones of a window's person, keeping all angles.

    Left and right bones have the same factor. The root's path is scaled with the legs,
    so that feet stay on the floor and slide no more than before. Modified key:
    ``joints_world`` (T, 17, 3); added key: ``arms_moved``, whether the arms were moved
    away from CMU's place.
    """

    prob: float = 0.8  # probability that a window's bones are scaled

    scale_std = 0.04  # standard deviation of the logarithm of the whole body's scale
    bone_std = 0.06  # standard deviation of the logarithm of each bone's scale
    # Range of the factor on the hips' half width. Hips are 7 to 10 cm from the middle
    # in motion capture, and 13 cm in Human3.6M.
    hip_factor = (0.9, 1.5)
    # Range of the shift of the arms down the thorax, meters. CMU's shoulders are level
    # with the thorax joint, other shoulders are 5 to 8 cm below it.
    shoulder_drop = (0.0, 0.08)
    shoulder_inset = (-0.01, 0.03)  # range of the shift of the arms inwards, meters
    arm_shift_prob = 0.5  # probability that the arms are shifted

    def transform(self, results: dict) -> dict:
        """Scale the bones; see the class."""
        if np.random.rand() >= self.prob:
            return results
        joints = results['joints_world']
        scaling = (_TO_JOINTS * self.bone_factors()) @ _TO_BONES
        scaled = scaling @ joints
        results['arms_moved'] = np.random.rand() < self.arm_shift_prob
        if results['arms_moved']:
            self.move_arms(scaled)
        results['joints_world'] = scaled
        return results

    def bone_factors(self) -> np.ndarray:
        """Draw a factor for the bone that ends in each joint, (17,), float32.

        The root's factor scales its path.
        """
        factor = np.random.normal(0, self.bone_std, _H36M.num_keypoints)
        factor = np.exp(factor + np.random.normal(0, self.scale_std))
        factor[_H36M.index('left_hip')] *= np.random.uniform(*self.hip_factor)
        factor[_H36M.right] = factor[_H36M.left]
        factor[_ROOT] = factor[_LEFT_LEG[1:]].mean()
        return factor.astype(np.float32)

    def move_arms(self, joints: np.ndarray) -> None:
        """Move whole arms of (T, 17, 3) in the thorax's axes, in place."""
        axes = shoulder_frame(joints)
        down = axes[:, 1] * np.float32(np.random.uniform(*self.shoulder_drop))
        inwards = axes[:, 0] * np.float32(np.random.uniform(*self.shoulder_inset))
        joints[:, _LEFT_ARM] -= (down + inwards)[:, None]
        joints[:, _RIGHT_ARM] -= (down - inwards)[:, None]


@TRANSFORMS.register_module()
@dataclass(eq=False)
class RandomJointDefinition(BaseTransform):
    """Move joints to where a detector of COCO's keypoints places them.

    The detector's hips, shoulders, neck and head differ from motion capture's by
    offsets that depend on person and clothes; they are drawn once for each window.
    Root, thorax and spine are midpoints of hips and shoulders, as in
    ``convert_keypoints(..., mapping='trained')``. The 3D target keeps the original
    joints. Required key: ``joints_world`` (T, 17, 3); added key: ``observed_world``,
    for :class:`ProjectToVirtualCamera`.
    """

    prob: float = 0.7  # probability that joints are moved

    def transform(self, results: dict) -> dict:
        """Add the moved joints; see the class."""
        if np.random.rand() >= self.prob:
            return results
        joints = results['joints_world']
        observed = joints.copy()
        for frame, offsets in _OFFSETS.items():
            axes = frame(joints)
            for name, (mean, std) in offsets.items():
                joint = _H36M.index(name)
                offset = np.array(mean) + np.random.normal(size=3) * std
                offset = offset.astype(np.float32)
                observed[:, joint] += offset @ axes
                if name.startswith('left_'):
                    offset[0] *= -1
                    observed[:, _H36M.flip_indices[joint]] += offset @ axes
        fill_midpoints(observed)
        results['observed_world'] = observed
        return results


def fill_midpoints(joints: np.ndarray) -> None:
    """Set root, spine and thorax of (T, 17, C) to midpoints of hips and shoulders."""
    hips = (joints[:, _HIPS[0]] + joints[:, _HIPS[1]]) / 2
    shoulders = (joints[:, _SHOULDERS[0]] + joints[:, _SHOULDERS[1]]) / 2
    joints[:, _ROOT] = hips
    joints[:, _THORAX] = shoulders
    joints[:, _SPINE] = (hips + shoulders) / 2


def head_frame(joints: np.ndarray) -> np.ndarray:
    """Return the head's unit vectors left, up and forward, (T, 3, 3), of (T, 17, 3)."""
    thorax = joints[:, _THORAX]
    # The neck joint lies in front of the line from thorax to head.
    up, left, forward = _axes(joints[:, _HEAD] - thorax, joints[:, _NECK] - thorax)
    return np.stack([left, up, forward], axis=1)


def _torso_frame(
    joints: np.ndarray, pair: list[int], below: int, above: int
) -> np.ndarray:
    """Return unit vectors left, up and forward of a part of the torso, (T, 3, 3).

    Args:
        joints (np.ndarray): Joints, (T, 17, 3).
        pair (list[int]): Left and right joint.
        below (int): Lower joint of the midline.
        above (int): Upper joint of the midline.
    """
    across = joints[:, pair[0]] - joints[:, pair[1]]
    left, forward, up = _axes(across, joints[:, above] - joints[:, below])
    return np.stack([left, up, forward], axis=1)


hip_frame = partial(_torso_frame, pair=_HIPS, below=_ROOT, above=_THORAX)
"""Return the pelvis's unit vectors left, up and forward, (T, 3, 3), of (T, 17, 3)."""
shoulder_frame = partial(_torso_frame, pair=_SHOULDERS, below=_SPINE, above=_THORAX)
"""Return the thorax's unit vectors left, up and forward, (T, 3, 3), of (T, 17, 3)."""


def _axes(along: np.ndarray, beside: np.ndarray) -> tuple[np.ndarray, ...]:
    """Build orthogonal unit vectors, (T, 3) each, from two directions (T, 3).

    The first is along ``along``, the second perpendicular to both directions, and the
    third perpendicular to the first two.
    """
    first = unit_vectors(along, 1e-6)
    second = unit_vectors(np.cross(first, beside), 1e-6)
    return first, second, np.cross(second, first)


# Offsets of COCO-17 keypoints, converted with mapping='trained', from motion capture's
# joints: mean and standard deviation over people, in meters along left, up and forward
# in the axes of a part of the body. Pairs are listed by their left joint.
_OFFSETS: dict[Callable, dict[str, tuple[Sequence[float], Sequence[float]]]] = {
    hip_frame: {'left_hip': ((0.0, -0.02, 0.015), (0.01, 0.01, 0.01))},
    shoulder_frame: {'left_shoulder': ((-0.008, 0.0, 0.0), (0.01, 0.012, 0.01))},
    head_frame: {
        'neck_base': ((0.0, 0.0, 0.0), (0.005, 0.008, 0.008)),
        'head': ((0.0, 0.0, 0.005), (0.01, 0.01, 0.015)),
    },
}
