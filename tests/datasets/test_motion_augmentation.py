"""Augmentation of motions: body recombination, time reversal and frame rate."""

import numpy as np
import pytest
from mocap import H36M, JUMP, KICK, joints_of, window

from mmhot.datasets.transforms.motion_augmentation import (
    RandomBodyRecombination,
    RandomFrameRate,
    RandomTimeReversal,
)

LEGS = H36M.indices([name for name in H36M.joints if name.endswith(('knee', 'foot'))])
PELVIS = [0, *H36M.indices(['left_hip', 'right_hip'])]
UPPER = [joint for joint in range(17) if joint not in LEGS + PELVIS]


def lengths(joints):
    """Bone lengths, (T, 16)."""
    parents, children = np.transpose(H36M.bones)
    return np.linalg.norm(joints[:, parents] - joints[:, children], axis=-1)


def recombined(other, **settings):
    sample = window(draw_window=lambda: other)
    return RandomBodyRecombination(prob=1.0, **settings)(sample)['joints_world']


def test_legs_stay_and_bones_keep_their_lengths():
    legs, other = joints_of(JUMP), joints_of(KICK)
    joints = recombined(other)
    np.testing.assert_array_equal(joints[:, LEGS + PELVIS], legs[:, LEGS + PELVIS])
    assert not np.allclose(joints[:, UPPER], legs[:, UPPER], atol=0.05)
    of_upper = [bone for bone, (_, child) in enumerate(H36M.bones) if child in UPPER]
    np.testing.assert_allclose(
        lengths(joints)[:, of_upper], lengths(other)[:, of_upper], atol=1e-5
    )


def test_recombination_with_the_rotated_pose_restores_it():
    joints = joints_of(JUMP)
    angle = 2.0
    turn = np.array(
        [
            [np.cos(angle), np.sin(angle), 0],
            [-np.sin(angle), np.cos(angle), 0],
            [0, 0, 1],
        ],
        np.float32,
    )
    np.testing.assert_allclose(recombined(joints @ turn), joints, atol=1e-5)


def test_time_reversal_reverses_frames_and_visibility():
    visible = np.arange(51, dtype=np.float32).reshape(3, 17)
    sample = RandomTimeReversal(prob=1.0)(window(lifting_target_visible=visible))
    np.testing.assert_array_equal(sample['joints_world'], joints_of()[::-1])
    np.testing.assert_array_equal(sample['lifting_target_visible'], visible[::-1])


def at_rate(keypoints, fps):
    sample = window(keypoints=keypoints)
    sample['keypoints_visible'] = np.ones(keypoints.shape[:2], np.float32)
    return RandomFrameRate(fps=(fps, fps)).transform(sample)['keypoints']


@pytest.mark.parametrize('fps', [24, 25, 29.97, 48, 5])
def test_linear_motion_is_unchanged_at_any_frame_rate(fps):
    keypoints = np.arange(81.0)[:, None, None] * np.ones((1, 17, 2))
    for _ in range(10):
        np.testing.assert_allclose(at_rate(keypoints, fps), keypoints, atol=1e-6)


def test_low_frequencies_survive_and_high_ones_are_lost():
    frames = np.arange(81)
    for frequency, low, high in ((0.5, 0, 0.005), (2, 0, 0.08), (12, 0.9, 2.1)):
        wave = np.sin(2 * np.pi * frequency * frames / 50)
        keypoints = wave[:, None, None] * np.ones((1, 17, 2))
        errors = [np.abs(at_rate(keypoints, 25) - keypoints).max() for _ in range(20)]
        assert low <= max(errors) < high
