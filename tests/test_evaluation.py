"""MPJPE and P-MPJPE against MMPose's, what the metric counts, and plausibility."""

import numpy as np
import pytest
from mmpose.evaluation.functional import keypoint_mpjpe
from mmpose.registry import METRICS

from mmhot.evaluation import LiftingError, mpjpe, p_mpjpe, procrustes_align
from mmhot.evaluation.plausibility import bone_length_variation, jitter

EVERY = np.ones((40, 17), bool)


def poses(seed=0):
    """Targets (40, 17, 3) and predictions, some of them mirrored or flat."""
    rng = np.random.default_rng(seed)
    target = rng.normal(size=(40, 17, 3))
    pred = target + rng.normal(scale=0.3, size=target.shape)
    pred[:10] *= [-1, 1, 1]
    pred[10:15, :, 2] = 0
    return pred, target


def turned(target, seed=1):
    """Poses moved, turned and scaled."""
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    rotation *= np.linalg.det(rotation)
    return 1.7 * target @ rotation + rng.normal(size=3)


def test_errors_are_mmposes():
    pred, target = poses()
    expected = keypoint_mpjpe(pred, target, EVERY)
    np.testing.assert_allclose(mpjpe(pred, target, root=None).mean(), expected)
    rooted = pred - pred[:, :1], target - target[:, :1]
    expected = keypoint_mpjpe(*rooted, EVERY)
    np.testing.assert_allclose(mpjpe(pred, target).mean(), expected)
    expected = keypoint_mpjpe(pred, target, EVERY, 'procrustes')
    np.testing.assert_allclose(p_mpjpe(pred, target).mean(), expected, rtol=1e-9)


def test_alignment_undoes_place_turn_and_size_but_no_reflection():
    _, target = poses()
    np.testing.assert_allclose(
        procrustes_align(turned(target), target), target, atol=1e-9
    )
    mirrored = turned(target) * [-1, 1, 1]
    assert p_mpjpe(mirrored, target).min() > 0.2


def test_alignment_never_makes_it_worse():
    pred, target = poses()
    before = ((pred - target) ** 2).sum((1, 2))
    after = ((procrustes_align(pred, target) - target) ** 2).sum((1, 2))
    assert np.all(after <= before + 1e-9)


def test_leading_axes_do_not_matter():
    pred, target = poses()
    for error in (mpjpe, p_mpjpe):
        together = error(pred.reshape(5, 8, 17, 3), target.reshape(5, 8, 17, 3))
        alone = [error(one, other) for one, other in zip(pred, target, strict=True)]
        np.testing.assert_allclose(together.ravel(), alone)


def test_collapsed_predictions_have_finite_errors():
    _, target = poses()
    assert np.isfinite(p_mpjpe(np.zeros_like(target), target)).all()


def sample(pred, target, name='gt', visible=None):
    """What an evaluator gets of one window."""
    visible = np.ones(target.shape[:2], np.float32) if visible is None else visible
    instances = dict(lifting_target=target, lifting_target_visible=visible)
    return dict(
        dataset_name=name, gt_instances=instances, pred_instances=dict(keypoints=pred)
    )


def evaluate(samples):
    metric = METRICS.build(dict(type='LiftingError'))
    for first in range(0, len(samples), 3):
        metric.process({}, samples[first : first + 3])
    return metric.evaluate(len(samples))


def test_metric_gives_millimetres_relative_to_the_root():
    _, target = poses()
    pred = target + [0.5, 0, 0]  # elsewhere: no error
    pred[:, 3] += [0, 0.017, 0]
    metrics = evaluate([sample(pred[i : i + 4], target[i : i + 4]) for i in (0, 4, 8)])
    assert metrics['MPJPE'] == pytest.approx(1)  # 17 mm at one of 17 joints
    assert 0 < metrics['P-MPJPE'] < 3  # of the same size, spread over the joints


def test_metric_counts_datasets_apart():
    pred, target = poses()
    samples = [
        sample(pred[i : i + 1], target[i : i + 1], 'noisy' if i % 2 else 'gt')
        for i in range(40)
    ]
    metrics = evaluate(samples)
    assert list(metrics) == ['gt/MPJPE', 'gt/P-MPJPE', 'noisy/MPJPE', 'noisy/P-MPJPE']
    expected = 1000 * mpjpe(pred[1::2], target[1::2]).mean()
    assert metrics['noisy/MPJPE'] == pytest.approx(expected)


def test_frames_outside_of_a_clip_do_not_count():
    pred, target = poses()
    visible = np.ones((40, 17), np.float32)
    visible[20:] = 0
    pred[20:] = np.nan
    metrics = evaluate([sample(pred, target, visible=visible)])
    assert metrics['MPJPE'] == pytest.approx(
        1000 * mpjpe(pred[:20], target[:20]).mean()
    )


def test_metric_averages_over_frames_not_windows():
    pred, target = poses()
    metrics = evaluate([sample(pred[:30], target[:30]), sample(pred[30:], target[30:])])
    assert metrics['MPJPE'] == pytest.approx(1000 * mpjpe(pred, target).mean())


def test_metric_is_registered_under_its_name():
    assert METRICS.get('LiftingError') is LiftingError


def test_bone_length_variation_is_the_deviation_over_the_mean():
    moving = np.zeros((2, 3, 3))
    moving[:, 1, 0] = 1, 3
    moving[:, 2, 0] = 2, 4  # as far from its parent in both
    np.testing.assert_allclose(bone_length_variation(moving, [-1, 0, 1]), [0.5, 0])


def test_jitter_is_the_acceleration():
    seconds = np.arange(10) / 25
    falling = np.zeros((10, 17, 3))
    falling[..., 1] = 9.81 / 2 * seconds[:, None] ** 2
    assert jitter(falling, np.arange(10), 25.0) == pytest.approx(9.81)


def test_jitter_does_not_count_across_gaps():
    moving = np.zeros((8, 17, 3))
    moving[4:] = 1.0
    frames = np.array([0, 1, 2, 3, 90, 91, 92, 93])
    assert jitter(moving, frames, 25.0) == 0
    assert jitter(moving, np.arange(8), 25.0) > 0
    with pytest.raises(ValueError, match='3 consecutive frames'):
        jitter(moving, 2 * np.arange(8), 25.0)
