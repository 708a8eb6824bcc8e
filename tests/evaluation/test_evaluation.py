"""Errors of poses: alignment, gaps, missing values, joints, and plausibility."""

import numpy as np
import pytest

from mmhot.evaluation.pose_errors import (
    change_errors,
    mpjpe,
    mpjve,
    p_mpjpe,
    pck_joints,
    procrustes_align,
    scaled_errors,
)
from mmhot.skeletons.joints import get_skeleton
from tools.motion_quality import bone_length_variation, jitter


def poses(seed=0):
    """Targets (40, 17, 3) and predictions, some of them mirrored or flat."""
    rng = np.random.default_rng(seed)
    target = rng.normal(size=(40, 17, 3))
    pred = target + rng.normal(scale=0.3, size=target.shape)
    pred[:10] *= [-1, 1, 1]
    pred[10:15, :, 2] = 0
    return pred, target


def transformed(target, seed=1):
    """Poses translated, rotated and scaled."""
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    rotation *= np.linalg.det(rotation)
    return 1.7 * target @ rotation + rng.normal(size=3)


def test_alignment_undoes_translation_rotation_and_scale_but_no_reflection():
    _, target = poses()
    np.testing.assert_allclose(
        procrustes_align(transformed(target), target), target, atol=1e-9
    )
    assert p_mpjpe(transformed(target) * [-1, 1, 1], target).min() > 0.2


def test_collapsed_predictions_have_finite_errors():
    _, target = poses()
    zero = np.zeros_like(target)  # NaN by MMPose's functions
    np.testing.assert_allclose(
        scaled_errors(zero, target).mean(-1), mpjpe(zero, target)
    )
    centered = target - target.mean(1, keepdims=True)
    expected = mpjpe(zero, centered, root=None)
    np.testing.assert_allclose(p_mpjpe(zero, target), expected)


def walk(seed=0):
    """Poses over time: targets (50, 17, 3) and predictions."""
    rng = np.random.default_rng(seed)
    target = rng.normal(0, 0.02, (50, 17, 3)).cumsum(0) + rng.normal(0, 0.3, (17, 3))
    return target + rng.normal(0, 0.05, target.shape), target


def test_velocities_across_gaps_do_not_count():
    pred, target = walk()
    frames = np.r_[0:20, 25:55]
    assert len(mpjve(pred, target, frames)) == 48
    expected = np.r_[mpjve(pred[:20], target[:20]), mpjve(pred[20:], target[20:])]
    np.testing.assert_array_equal(mpjve(pred, target, frames), expected)
    assert len(change_errors(pred, target, 2, frames)) == 46
    assert mpjve(pred, target, 5 * np.arange(50)).size == 0


def test_a_pose_with_nan_does_not_affect_the_others():
    pred, target = poses()
    whole = p_mpjpe(pred, target)
    pred[3, 5] = np.nan
    pred[4, 5] = np.inf
    with np.errstate(invalid='ignore'):
        errors = p_mpjpe(pred, target)
    assert np.flatnonzero(~np.isfinite(errors)).tolist() == [3, 4]
    np.testing.assert_array_equal(np.delete(errors, [3, 4]), np.delete(whole, [3, 4]))


def test_pck_counts_limbs_neck_and_the_top_of_the_head():
    limbs = {
        f'{side}_{joint}'
        for side in ('left', 'right')
        for joint in ('shoulder', 'elbow', 'wrist', 'hip', 'knee')
    }
    for skeleton, ends in {
        'h36m-17': {'head', 'thorax', 'left_foot', 'right_foot'},
        'mpi-inf-3dhp-17': {'head_top', 'neck', 'left_ankle', 'right_ankle'},
    }.items():
        joints = pck_joints(get_skeleton(skeleton))
        assert len(joints) == 14
        assert {get_skeleton(skeleton).joints[x] for x in joints} == limbs | ends


def test_bone_length_variation_is_the_deviation_over_the_mean():
    moving = np.zeros((2, 3, 3))
    moving[:, 1, 0] = 1, 3
    moving[:, 2, 0] = 2, 4  # as far from its parent in both
    np.testing.assert_allclose(bone_length_variation(moving, [-1, 0, 1]), [0.5, 0])


def test_jitter_is_the_acceleration_of_consecutive_frames():
    seconds = np.arange(10) / 25
    falling = np.zeros((10, 17, 3))
    falling[..., 1] = 9.81 / 2 * seconds[:, None] ** 2
    assert jitter(falling, np.arange(10), 25.0) == pytest.approx(9.81)
    # gaps do not count
    moving = np.zeros((8, 17, 3))
    moving[4:] = 1.0
    frames = np.array([0, 1, 2, 3, 90, 91, 92, 93])
    assert jitter(moving, frames, 25.0) == 0
    assert jitter(moving, np.arange(8), 25.0) > 0
    assert np.isnan(jitter(moving, 2 * np.arange(8), 25.0))
