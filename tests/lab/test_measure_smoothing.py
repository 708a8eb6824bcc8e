"""Delay, jitter and error of smoothing filters."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tools.lab.measure_smoothing import lag, measure_smoothers

FPS = 50.0


def motion(late=0.0, count=200):
    """A point on a circle with a delay in seconds, (T, 1, 2)."""
    angle = 2 * np.pi * (np.arange(count) / FPS - late)
    return np.stack([np.cos(angle), np.sin(angle)], -1)[:, None] * 100


@pytest.mark.parametrize('late', [0.0, 0.013, 0.1, -0.02])
def test_delays_are_measured_between_frames(late):
    assert_allclose(lag(motion(late), motion(), FPS), late, atol=1e-4)


def test_too_few_frames_are_refused():
    with pytest.raises(ValueError, match='20 frames are too few'):
        lag(motion(count=20), motion(count=20), FPS)


def test_offline_filters_have_no_delay_and_online_filters_have():
    rng = np.random.default_rng(0)
    points = motion() + rng.normal(0, 2, (200, 1, 2))
    table = measure_smoothers([(points, motion())], FPS, in_meters=False)
    # a circle of 100 in a second: 100 (2 pi)^2
    assert_allclose(table['truth']['jitter'], 3948, rtol=0.01)
    assert table['none']['jitter'] > 3 * table['truth']['jitter']
    for name in ('butterworth', 'savgol'):
        assert abs(table[name]['lag']) < 1.5
        assert table[name]['error'] < table['none']['error']
    assert 5 < table['one-euro']['lag'] < 200
    assert table['one-euro']['jitter'] < table['none']['jitter']
