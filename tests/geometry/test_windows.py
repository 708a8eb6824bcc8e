"""Windows of clips: coverage, blending, progress."""

import numpy as np
import pytest

from mmhot.geometry.windows import (
    average_neighbors,
    lift_windows,
    plan_windows,
    resample,
    resample_smoothly,
)


@pytest.mark.parametrize('num_frames', [1, 2, 3, 8, 9, 10, 50])
@pytest.mark.parametrize(
    ('seq_len', 'num_targets', 'stride'),
    [(9, 1, 1), (9, 3, 1), (9, 3, 3), (9, 9, 3), (9, 9, 9), (8, 2, 2)],
)
def test_every_frame_is_predicted_once_its_windows_are_averaged(
    num_frames, seq_len, num_targets, stride
):
    first = (seq_len - num_targets) // 2
    clips = [np.arange(num_frames, dtype=np.float32)[:, None] + 0.5]

    def targets(windows):
        return windows[:, first : first + num_targets]

    size = seq_len, num_targets
    windows = plan_windows([num_frames], *size, stride)
    lifted = lift_windows(targets, clips, windows, *size, batch_size=4)
    # float32 weights
    np.testing.assert_allclose(lifted[0], clips[0], rtol=1e-6)


@pytest.mark.parametrize('stride', [0, 4])
def test_strides_that_skip_frames_are_refused(stride):
    with pytest.raises(ValueError, match=rf'stride \({stride}\) must be from 1 to'):
        plan_windows([5], 3, 3, stride)


@pytest.mark.parametrize('width', [0.5, 1, 1.2, 2, 2.4, 40])
@pytest.mark.parametrize('count', [1, 2, 3, 50])
def test_averages_of_neighbors_keep_constant_speed(width, count):
    values = np.arange(count)[:, None] * np.array([3.0, -1.0])
    np.testing.assert_allclose(average_neighbors(values, width), values, atol=1e-12)


@pytest.mark.parametrize('count', [1, 2, 3, 50])
def test_smooth_interpolation_keeps_frames_and_constant_speed(count):
    times = np.linspace(0, count - 1, 4 * count)
    line = np.arange(count)[:, None] * np.array([3.0, -1.0])
    np.testing.assert_allclose(
        resample_smoothly(line, times), times[:, None] * [3, -1], atol=1e-12
    )
    values = np.random.default_rng(0).normal(size=(count, 2, 3))
    np.testing.assert_array_equal(resample_smoothly(values, np.arange(count)), values)


def test_smooth_interpolation_is_nearer_to_motion_than_a_linear_one():
    times = np.linspace(0, 49, 197)
    swing = np.sin(np.arange(50)[:, None] / 2)
    errors = [
        np.abs(method(swing, times)[:, 0] - np.sin(times / 2)).max()
        for method in (resample_smoothly, resample)
    ]
    assert errors[0] < errors[1] / 2


def test_averages_of_neighbors_have_less_noise():
    noise = np.random.default_rng(0).normal(size=(20000, 1))
    assert average_neighbors(noise, 1.0).tolist() == noise.tolist()
    # weights of 1, 2, 1
    assert average_neighbors(noise, 2.0).std() == pytest.approx(6**0.5 / 4, abs=0.01)
    impulse = np.zeros(7)
    impulse[3] = 1
    expected = [0, 0, 0.25, 0.5, 0.25, 0, 0]
    np.testing.assert_allclose(average_neighbors(impulse, 2.0), expected)
