"""Temporal smoothing: jitter, motion, delay."""

from dataclasses import replace

import numpy as np
import pytest
from mocap import H36M, JUMP, KICK, joints_of

import mmhot
from mmhot.chain.poses.smoothing import (
    SMOOTHERS,
    OneEuro,
    SmoothGivenPoses,
    SmoothPoses,
)
from mmhot.geometry.keypoint_arrays import interpolate_missing

FPS = 50.0


def wave(frequency, seconds=4.0):
    return np.sin(2 * np.pi * frequency * np.arange(seconds * FPS) / FPS)[:, None]


def jitter(points):
    return np.linalg.norm(np.diff(points, 2, axis=0), axis=-1).mean()


@pytest.mark.parametrize('method', SMOOTHERS)
def test_jitter_falls_and_motion_stays(method):
    true = joints_of(KICK, 200)
    noisy = true + np.random.default_rng(0).normal(0, 0.01, true.shape)
    smooth = SMOOTHERS[method](noisy, FPS)
    assert jitter(smooth) < 0.45 * jitter(noisy)
    error = np.linalg.norm(smooth - true, axis=-1).mean()
    assert error < (0.75 if method == 'butterworth' else 1.1) * (
        np.linalg.norm(noisy - true, axis=-1).mean()
    )


def test_files_are_smoothed_without_delay():
    slow = wave(1.0)
    smooth = SMOOTHERS['butterworth'](slow, FPS)
    np.testing.assert_allclose(smooth[20:-20], slow[20:-20], atol=0.02)
    lags = [
        (slow[50:-50, 0] * np.roll(smooth, lag)[50:-50, 0]).sum() for lag in (-1, 0, 1)
    ]
    assert np.argmax(lags) == 1


def test_butterworth_halves_the_power_at_its_cutoff():
    smooth = SMOOTHERS['butterworth'](wave(6.0), FPS)[50:-50]
    np.testing.assert_allclose(
        smooth.std(), wave(6.0)[50:-50].std() / np.sqrt(2), rtol=0.05
    )
    assert SMOOTHERS['butterworth'](wave(15.0), FPS)[50:-50].std() < 0.05


def test_stream_follows_a_step_within_a_fraction_of_a_second():
    step = np.repeat([0.0, 1.0], 50)[:, None] * [1.0, 1.0]
    one_euro = OneEuro()
    smooth = np.stack([one_euro(point, time / FPS) for time, point in enumerate(step)])
    assert abs(smooth[49]).max() < 1e-9
    assert smooth[60].min() > 0.8
    assert (np.diff(smooth, axis=0) >= -1e-9).all()


def test_stream_starts_anew_after_a_gap():
    smooth = OneEuro()
    smooth(np.array([[10.0, 10.0]]), 0.0)
    assert np.isnan(smooth(np.full((1, 2), np.nan), 0.1)).all()
    np.testing.assert_allclose(smooth(np.array([[500.0, 0.0]]), 0.2), [[500.0, 0.0]])


def test_long_steps_in_time_are_gaps_of_every_step():
    """Consecutive frames of a pause are two stretches, as smoothing and feet see it."""
    poses = np.random.default_rng(0).normal(size=(6, 17, 3))
    clip = mmhot.Clip3D.from_arrays(poses, 25, axes='camera')
    assert [len(rows) for rows in clip.stretches()] == [6]
    paused = replace(clip, variable_time=np.array([0, 0.04, 0.08, 4, 4.04, 4.08]))
    assert [len(rows) for rows in paused.stretches()] == [3, 3]


@pytest.mark.parametrize('method', ['butterworth', 'spline'])
def test_filters_use_the_times_of_frames(method):
    """Frames of a phone: 10 to 70 ms apart."""
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.01, 0.07, 200)) - 0.01
    moving = joints_of(KICK, 1) + times[:, None, None] * np.float32([1, 0.5, 0])
    noise = rng.normal(0, 0.01, moving.shape)

    def smooth(poses):
        clip = mmhot.Clip3D.from_arrays(poses.astype(np.float32), 25)
        clip = replace(clip, variable_time=times - times[0])
        return SmoothPoses(smooth_3d=method).smooth(clip).places()

    np.testing.assert_allclose(smooth(moving), moving, atol=0.001)  # 1 mm
    # noise falls nevertheless
    assert np.abs(smooth(moving + noise) - moving).mean() < 0.8 * np.abs(noise).mean()


def test_exact_joints_stay_and_a_noisy_forearm_is_smoothed():
    true = joints_of(JUMP, 150)
    noisy = true.copy()
    forearm = H36M.indices(['left_elbow', 'left_wrist'])
    noisy[:, forearm] += np.random.default_rng(0).normal(0, 0.02, (150, 2, 3))
    for given in (true, noisy):
        clip = mmhot.Clip3D.from_arrays(given, FPS, axes='world')
        smooth = SmoothGivenPoses().smooth(clip).places()
        others = np.delete(np.arange(17), forearm)
        np.testing.assert_allclose(smooth[:, others], true[:, others], atol=1e-6)
    errors = np.linalg.norm([smooth - true, noisy - true], axis=-1)[:, :, forearm]
    assert errors[0].mean() < 0.6 * errors[1].mean()


def test_interpolated_positions_hardly_count():
    """A foot is carried on through gaps; a wrist that is never seen counts as usual."""
    true = joints_of(KICK, 150).astype(np.float64)
    given = true + np.random.default_rng(0).normal(0, 0.005, true.shape)
    seen, missing = H36M.indices(['right_foot', 'left_wrist'])
    frames = np.arange(150)
    is_gap = frames % 40 >= 32
    for axis in range(3):
        column = given[:, seen, axis]
        column[is_gap] = np.interp(frames[is_gap], frames[~is_gap], column[~is_gap])
    clip = mmhot.Clip3D.from_arrays(given, FPS, axes='world')
    scores = np.ones(given.shape[:2], np.float32)
    scores[is_gap, seen] = scores[:, missing] = 0
    plain, weighted = (
        SmoothGivenPoses().smooth(x).places()
        for x in (clip, replace(clip, scores=scores))
    )
    before, after = (
        np.linalg.norm(x - true, axis=-1)[is_gap, seen].mean()
        for x in (plain, weighted)
    )
    assert after < 0.75 * before
    others = np.delete(np.arange(17), seen)
    np.testing.assert_allclose(weighted[:, others], plain[:, others], atol=1e-6)


@pytest.mark.parametrize(
    ('key', 'fps', 'noise', 'start', 'end'),
    [(JUMP, 25, 0, 4, 7), (KICK, 50, 0.01, 2, 12), (JUMP, 50, 0.01, 144, 150)],
)
def test_filled_gaps_are_no_worse_than_interpolated_ones(key, fps, noise, start, end):
    true = joints_of(key, 150)[:: round(FPS / fps)].astype(np.float64)
    given = true + np.random.default_rng(0).normal(0, noise, true.shape)
    scores = np.ones(given.shape[:2], np.float32)
    scores[start:end] = 0
    line = interpolate_missing(np.where(scores[..., None], given, np.nan))
    clip = mmhot.Clip3D.from_arrays(line, fps, axes='world')
    smooth = SmoothGivenPoses().smooth(replace(clip, scores=scores)).places()
    before, after = (
        np.linalg.norm(x - true, axis=-1)[start:end] for x in (line, smooth)
    )
    assert after.mean() < before.mean()
    assert after.max() < before.max() + noise / 2
