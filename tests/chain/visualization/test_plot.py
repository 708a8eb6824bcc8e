"""Plots of single frames."""

import matplotlib as mpl
import numpy as np
import pytest
from rendered_clips import rendered

import mmhot

mpl.use('Agg')


def test_limbs_of_a_frame_are_drawn_with_z_up():
    clip = rendered('walk')
    axes = mmhot.plot(clip, frame=5)
    (row,) = np.flatnonzero(clip.frame == 5)
    ends = np.stack([line.get_data_3d() for line in axes.lines]).transpose(0, 2, 1)
    assert len(ends) == 16
    wanted = clip.places()[row][:, [0, 2, 1]] * (1, 1, -1)
    for joint in wanted:
        assert np.abs(ends - joint).max(-1).min() < 1e-6
    assert ends[..., 2].max() == pytest.approx(wanted[10, 2])


def test_angles_are_plotted_over_the_seconds():
    clip = rendered('walk')
    axes = mmhot.plot(clip, angles=['knee_angle_l', 'elbow_flex_r'])
    assert len(axes.lines) == 2
    times, degrees = axes.lines[0].get_data()
    assert list(times) == list(clip.frame / 25)
    assert list(degrees) == list(clip.angles()['knee_angle_l'])
    with pytest.raises(ValueError, match=r'did you mean knee_angle_'):
        mmhot.plot(clip, angles=['knee_angel_l'])
