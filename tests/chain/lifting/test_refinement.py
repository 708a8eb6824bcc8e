"""Refinement of lifted clips: constant bone lengths."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tracks import H36M, clip_of, track, wiggling

from mmhot.chain.lifting.lifter import Lifter
from mmhot.chain.lifting.refinement import BoneErrors, keep_bone_lengths

BONES = [(joint, parent) for joint, parent in enumerate(H36M.parents) if parent >= 0]


def walking(num_frames):
    """Return poses of constant bone lengths that swing their limbs, (T, 17, 3)."""
    rng = np.random.default_rng(0)
    time = np.arange(num_frames)[:, None] / 25
    poses = np.zeros((num_frames, 17, 3))
    for joint, parent in BONES:
        mirrored = min(joint, H36M.flip_indices[joint])
        axis = 0.1 + 0.02 * mirrored
        angles = rng.normal(0, 0.6, 2) * np.sin(time * 3 + rng.uniform(0, 6))
        turn = Rotation.from_euler('xz', angles + rng.normal(0, 0.5, 2))
        poses[:, joint] = poses[:, parent] + turn.apply([0, axis, 0])
    return poses


def lengths_of(poses):
    return np.stack(
        [np.linalg.norm(poses[:, a] - poses[:, b], axis=-1) for a, b in BONES], -1
    )


def test_poses_of_constant_bones_stay():
    poses, ahead = walking(20), np.tile([0, 0, 1.0], (20, 1))
    np.testing.assert_allclose(keep_bone_lengths(poses, ahead), poses, atol=1e-6)
    np.testing.assert_array_equal(keep_bone_lengths(poses, ahead)[:, 0], 0)


@pytest.mark.parametrize('sight', [[0, 0, 1.0], [0.6, 0, 0.8]])
def test_errors_of_depth_become_smaller(sight):
    truth, rng = walking(300), np.random.default_rng(1)
    noise = rng.normal(0, 0.03, (300, 17, 1)) * sight
    noise[:, 0] = 0
    directions = np.tile(2 * np.array(sight), (300, 1))
    noisy = truth + noise
    fitted = keep_bone_lengths(noisy, directions)
    assert lengths_of(fitted).std(0).mean() < 0.45 * lengths_of(noisy).std(0).mean()
    error, before = (np.linalg.norm(x - truth, axis=-1).mean() for x in (fitted, noisy))
    assert error < 0.9 * before
    # across the line of sight joints stay nearly where they were
    moved = fitted - noisy
    across = moved - (moved @ sight)[..., None] * sight
    assert np.linalg.norm(across, axis=-1).mean() < 0.006


def test_long_clips_are_solved_in_parts():
    poses = walking(50) + np.random.default_rng(0).normal(0, 0.02, (50, 17, 3))
    directions = np.tile([0, 0, 1.0], (50, 1))
    whole = keep_bone_lengths(poses, directions)
    parts = keep_bone_lengths(poses, directions, BoneErrors(chunk=7))
    np.testing.assert_allclose(parts, whole, atol=1e-6)


def test_clips_keep_bone_lengths():
    clip = clip_of(track(range(90), wiggling(90, pixels=20)))
    best, fast = Lifter(device='cpu'), Lifter(device='cpu', accuracy='fast')
    poses, plain = best(clip).keypoints_3d, fast(clip).keypoints_3d
    changes = [
        (lengths_of(x).std(0) / lengths_of(x).mean(0)).mean() for x in (poses, plain)
    ]
    assert changes[0] < 0.65 * changes[1]
