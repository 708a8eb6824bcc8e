"""Limbs that turn faster than people do are filled in, and nothing else changes."""

from dataclasses import replace

import numpy as np
import pytest
from mocap import H36M, JUMP, KICK, joints_of

from mmhot.motion.turns import LimitTurns
from mmhot.structures.clips import Clip3D

ELBOW, WRIST = H36M.indices(['right_elbow', 'right_wrist'])


def clip_of(key=KICK, stride=2):
    joints = joints_of(key, 150)[::stride]
    return Clip3D.from_arrays(joints, 50 / stride, axes='world')


def turned(clip, frames):
    """Turn the right forearm around in frames."""
    poses = clip.keypoints_3d.copy()
    elbow = poses[frames, ELBOW]
    poses[frames, WRIST] = 2 * elbow - poses[frames, WRIST]
    return replace(clip, keypoints_3d=poses)


@pytest.mark.parametrize('key', [KICK, JUMP])
@pytest.mark.parametrize('stride', [1, 2, 4])
def test_kicks_and_jumps_stay(key, stride):
    clip = clip_of(key, stride)
    assert LimitTurns().limit(clip) is clip


@pytest.mark.parametrize('length', [1, 3])
@pytest.mark.parametrize('start', [0, 40, 71])
def test_the_shorter_side_of_a_jump_gives_way(start, length):
    clip = clip_of()
    frames = np.arange(start, start + length)
    new = LimitTurns().limit(turned(clip, frames))
    changed = new.keypoint_scores_3d[:, WRIST] == 0
    np.testing.assert_array_equal(np.flatnonzero(changed), frames)
    assert abs(new.keypoints_3d - clip.keypoints_3d).max() < 0.03
    others = np.delete(np.arange(17), WRIST)
    for name in ('keypoints_3d', 'keypoint_scores_3d'):
        before, after = (getattr(x, name)[:, others] for x in (clip, new))
        np.testing.assert_array_equal(after, before)


def test_long_sides_of_a_jump_are_joined_by_a_turn():
    new = LimitTurns().limit(turned(clip_of(), np.arange(38, 75)))
    bones = new.keypoints_3d[:, WRIST] - new.keypoints_3d[:, ELBOW]
    bones /= np.linalg.norm(bones, axis=-1, keepdims=True)
    steps = np.degrees(np.arccos((bones[1:] * bones[:-1]).sum(-1).clip(-1, 1)))
    assert steps.max() < 51
    assert 3 <= (new.keypoint_scores_3d == 0).sum() <= 5


def test_limbs_may_turn_in_long_steps():
    clip = turned(clip_of(), np.arange(38, 75))
    time = np.arange(75) / 25 + 0.2 * (np.arange(75) >= 38)
    clip = replace(clip, time=time)
    assert LimitTurns().limit(clip) is clip
