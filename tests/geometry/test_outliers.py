"""Errors of single frames are found, and nothing else: not fast motion, nor noise."""

import numpy as np
import pytest
from mocap import JUMP, KICK, joints_of
from scipy.interpolate import CubicSpline

from mmhot.geometry.outliers import find_outliers, find_repeats


def motion(key=KICK, fps=25, speed=1.0):
    """Return a root and joints relative to it (T, 17, 3), and seconds (T,)."""
    joints = joints_of(key, 400)
    times = np.arange(0, len(joints) - 1, 50 * speed / fps)
    places = CubicSpline(np.arange(len(joints)), joints)(times)
    places[:, 1:] -= places[:, :1]
    return places, np.arange(len(places)) / fps


def strike(fps, seconds):
    """A wrist (T, 1, 3) that strikes by 0.6 m and returns, each in some seconds."""
    times = np.arange(0, 2, 1 / fps)
    share = (1 - np.abs(times - 1) / seconds).clip(0)
    smooth = share**3 * (10 - 15 * share + 6 * share**2)
    return 0.6 * smooth[:, None, None] * [1, 0.2, 0], times


@pytest.mark.parametrize('key', [KICK, JUMP])
@pytest.mark.parametrize('fps', [12.5, 25, 30, 50, 100, 240])
@pytest.mark.parametrize('speed', [1, 1.6])
def test_exact_motion_has_none(key, fps, speed):
    assert not find_outliers(*motion(key, fps, speed)).any()


@pytest.mark.parametrize('fps', [10, 25, 30, 60, 120, 240])
@pytest.mark.parametrize('seconds', [0.08, 0.1, 0.15])
def test_strikes_have_none(fps, seconds):
    assert not find_outliers(*strike(fps, seconds)).any()


@pytest.mark.parametrize('noise', [[0, 0.2, 0], [0.02] * 3, [0.1] * 3])
def test_noise_has_none(noise):
    places, seconds = motion(fps=50)
    places += np.random.default_rng(0).normal(size=places.shape) * noise
    assert not find_outliers(places, seconds).any()


@pytest.mark.parametrize(('fps', 'length'), [(25, 1), (25, 2), (50, 2), (100, 6)])
def test_positions_that_come_back_are_found(fps, length):
    places, seconds = motion(fps=fps)
    places += np.random.default_rng(0).normal(0, 0.005, places.shape)
    wrong = np.zeros(places.shape[:2], bool)
    wrong[40 : 40 + length, 13] = wrong[20 : 20 + length, 10] = True
    wrong[20 + length + 1, 10] = fps == 100  # beside others
    places[wrong] += [0.2, -0.3, 0.2]
    places[50, 7] = np.nan
    np.testing.assert_array_equal(find_outliers(places, seconds), wrong)


def test_a_joint_that_is_astray_in_one_of_twenty_frames_is_found():
    places, seconds = motion(fps=50)
    places[10::20, 3] += 0.4
    found = find_outliers(places, seconds)
    np.testing.assert_array_equal(
        np.argwhere(found), [[x, 3] for x in range(10, 150, 20)]
    )


def test_jumps_that_do_not_come_back_and_many_are_kept():
    places, seconds = motion(fps=50)
    places[60:, 13] += 0.4
    places[::8, 3] += 0.4
    assert not find_outliers(places, seconds).any()


@pytest.mark.parametrize('key', [KICK, JUMP])
@pytest.mark.parametrize('fps', [25, 60, 120])
def test_repeated_frames_are_those_of_moving_people(key, fps):
    places, seconds = motion(key, fps)
    frames = np.arange(len(places))
    assert not find_repeats(places, seconds).any()
    places[len(places) // 2 :] = places[len(places) // 2]  # stands still
    places[3:6] = np.nan
    assert not find_repeats(places, seconds).any()
    # every second one, 24 in 30 frames, and 3:2
    for source in (
        frames // 2 * 2,
        frames - (frames % 5 == 4),
        frames * 2 // 5 * 5 // 2,
    ):
        places = motion(key, fps)[0][source]
        found = find_repeats(places, seconds)
        assert not found[np.diff(source, prepend=-1) > 0].any()
        assert found.sum() > 0.9 * (len(source) - len(np.unique(source)))
