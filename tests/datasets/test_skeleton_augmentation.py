"""Augmentation of skeletons: bone lengths, joint definitions and body axes."""

from collections import ChainMap

import mocap
import numpy as np
import pytest

from mmhot.datasets.transforms.skeleton_augmentation import (
    _OFFSETS,
    RandomBoneLengths,
    RandomJointDefinition,
    RandomStraightLimbs,
    head_frame,
    hip_frame,
    shoulder_frame,
)
from mmhot.datasets.transforms.virtual_camera import floor_offset

H36M = mocap.H36M


def bones_of(joints):
    return np.stack([joints[:, j] - joints[:, p] for p, j in H36M.bones], 1)


def lengths_of(joints):
    return np.linalg.norm(bones_of(joints), axis=-1)


def stretch(joints, **settings):
    transform = RandomBoneLengths()
    vars(transform).update(dict(prob=1.0, arm_shift_prob=0.0) | settings)
    return transform.transform(dict(joints_world=joints))['joints_world']


def test_scaled_bones_keep_their_directions():
    joints = mocap.joints_of()
    before, after = bones_of(joints), bones_of(stretch(joints))
    lengths = np.linalg.norm(before, axis=-1), np.linalg.norm(after, axis=-1)
    cosine = (before * after).sum(-1) / lengths[0] / lengths[1]
    np.testing.assert_allclose(cosine, 1, atol=1e-4)
    # one factor a bone, for the whole window
    factor = lengths[1] / lengths[0]
    np.testing.assert_allclose(factor, factor[:1].repeat(len(joints), 0), rtol=2e-4)


def test_longer_legs_stay_on_the_floor():
    joints = mocap.joints_of(mocap.KICK)
    joints = joints + floor_offset(joints)
    ankle = H36M.index('right_foot')  # the supporting leg
    for _ in range(20):
        stretched = stretch(joints, bone_std=0.0, scale_std=0.1)
        scale = stretched[0, 0, 2] / joints[0, 0, 2]
        np.testing.assert_allclose(
            stretched[:, ankle, 2], joints[:, ankle, 2] * scale, atol=5e-3
        )


def test_arms_move_down_and_inwards_as_a_whole():
    settings = dict(bone_std=0.0, scale_std=0.0, hip_factor=(1, 1), arm_shift_prob=1.0)
    settings.update(shoulder_drop=(0.05, 0.05), shoulder_inset=(0.02, 0.02))
    moved = stretch(mocap.standing_pose(), **settings) - mocap.standing_pose()
    for side, inwards in (('left', -0.02), ('right', 0.02)):
        arm = H36M.indices(f'{side}_{x}' for x in ('shoulder', 'elbow', 'wrist'))
        expected = np.broadcast_to([inwards, 0, -0.05], (3, 3))
        np.testing.assert_allclose(moved[0, arm], expected, atol=1e-6)
    num_below = H36M.index('left_shoulder')
    np.testing.assert_allclose(moved[0, :num_below], 0, atol=1e-6)


@pytest.mark.parametrize('transform', [RandomBoneLengths, RandomJointDefinition])
def test_augmentation_does_not_modify_the_clip(transform):
    joints = mocap.joints_of()
    transform(prob=1.0).transform(dict(joints_world=joints))
    np.testing.assert_array_equal(joints, mocap.joints_of())


@pytest.mark.parametrize('frame', [hip_frame, shoulder_frame, head_frame])
def test_body_axes_are_left_up_forward(frame):
    expected = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    np.testing.assert_allclose(frame(mocap.standing_pose())[0], expected, atol=1e-6)
    axes = frame(mocap.joints_of(mocap.KICK, 150))
    np.testing.assert_allclose(np.linalg.det(axes), 1, atol=1e-5)
    identity = np.broadcast_to(np.eye(3), axes.shape)
    np.testing.assert_allclose(axes @ axes.transpose(0, 2, 1), identity, atol=1e-5)


def test_joint_offsets_have_the_measured_statistics():
    joints = mocap.standing_pose()
    transform = RandomJointDefinition(prob=1.0)
    seen = [
        transform.transform(dict(joints_world=joints))['observed_world'][0]
        for _ in range(3000)
    ]
    moved = np.array(seen) - joints
    for name, (mean, std) in ChainMap(*_OFFSETS.values()).items():
        left_up_forward = moved[:, H36M.index(name)] @ [
            [1, 0, 0],
            [0, 0, -1],
            [0, 1, 0],
        ]
        np.testing.assert_allclose(left_up_forward.mean(0), mean, atol=1e-3)
        np.testing.assert_allclose(left_up_forward.std(0), std, rtol=0.06)
    # a person's sides are mirror images
    np.testing.assert_allclose(
        moved[:, H36M.right], moved[:, H36M.left] * [-1, 1, 1], atol=1e-6
    )
    for part in ('knee', 'foot', 'elbow', 'wrist'):
        np.testing.assert_array_equal(moved[:, H36M.index(f'left_{part}')], 0)


def test_missing_joints_are_midpoints_and_targets_unchanged():
    sample = RandomJointDefinition(prob=1.0).transform(mocap.window())
    seen = {name: sample['observed_world'][:, H36M.index(name)] for name in H36M.joints}
    hips = (seen['left_hip'] + seen['right_hip']) / 2
    shoulders = (seen['left_shoulder'] + seen['right_shoulder']) / 2
    np.testing.assert_allclose(seen['root'], hips, atol=1e-6)
    np.testing.assert_allclose(seen['thorax'], shoulders, atol=1e-6)
    np.testing.assert_allclose(seen['spine'], (hips + shoulders) / 2, atol=1e-6)
    np.testing.assert_array_equal(sample['joints_world'], mocap.joints_of())


LIMBS = (('hip', 'knee', 'foot'), ('shoulder', 'elbow', 'wrist'))


def limb_angles(joints, limb):
    """Degrees of both knees or elbows, 0 where they are straight, (2, T)."""
    names = [[f'{side}_{part}' for part in limb] for side in ('left', 'right')]
    bones = [np.diff(joints[:, H36M.indices(own)], axis=1) for own in names]
    bones /= np.linalg.norm(bones, axis=-1, keepdims=True)
    return np.degrees(np.arccos(np.prod(bones, 2).sum(-1).clip(-1, 1)))


def test_limbs_are_straightened_where_the_skeleton_is_not_motion_captures():
    joints = mocap.joints_of().astype(np.float64)
    step = RandomStraightLimbs(prob=1)
    step.cmu_prob = step.still_prob = 0
    straight = step.straighten(joints, 20.0, 10.0)
    for limb, degrees in zip(LIMBS, (20, 10), strict=True):
        before, after = (limb_angles(x, limb) for x in (joints, straight))
        small = before <= 40
        assert small.any()
        wanted = np.maximum(before[small] - degrees, 0.2 * before[small])
        np.testing.assert_allclose(after[small], wanted, atol=1e-3)
        np.testing.assert_allclose(after[before >= 85], before[before >= 85], atol=1e-3)
    np.testing.assert_allclose(*map(lengths_of, (joints, straight)), rtol=1e-6)
    parts = ('knee', 'foot', 'elbow', 'wrist')
    moved = H36M.indices([f'{side}_{x}' for side in ('left', 'right') for x in parts])
    others = np.delete(np.arange(17), moved)
    np.testing.assert_array_equal(straight[:, others], joints[:, others])
    # motion capture's own skeleton keeps its limbs; others move in both arrays
    window = step.transform(mocap.window())
    np.testing.assert_array_equal(window['joints_world'], mocap.joints_of())
    sample = step.transform(RandomJointDefinition(prob=1.0).transform(mocap.window()))
    for limb, least in zip(LIMBS, (4, 1), strict=True):
        before, after = (limb_angles(x, limb) for x in (joints, sample['joints_world']))
        assert after.mean() < before.mean() - least
    np.testing.assert_array_equal(
        sample['observed_world'][:, moved], sample['joints_world'][:, moved]
    )
    step.prob, step.still_prob = 0, 1
    still = step.transform(mocap.window())
    assert (still['joints_world'] == still['joints_world'][:1]).all()
