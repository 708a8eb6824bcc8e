"""2D poses in videos of people who are rotated."""

from pathlib import Path

import numpy as np
import pytest

from mmhot.video.pose_estimation import VideoPoseEstimator
from mmhot.video.sources.pose_source import open_pose_source
from tools.lab.measure_rotation import ROTATIONS, RotatedVideo, measure

DANCE = Path(__file__).parents[2] / 'demo' / 'dance.mp4'


def test_the_middle_third_is_rotated():
    video = RotatedVideo(DANCE, 'by 180 degrees, at a cut', 9)
    upright = RotatedVideo(DANCE, 'none', 9)
    frames = [(a.image, b.image) for a, b in zip(video, upright, strict=True)]
    assert len(frames) == 9
    for index, (image, other) in enumerate(frames):
        assert image.shape == (max(image.shape), max(image.shape), 3)
        turned = 3 <= index < 6
        expected = other[::-1, ::-1] if turned else other
        np.testing.assert_allclose(image.astype(float), expected, atol=1)
    assert RotatedVideo(DANCE, 'once around', 9).angles[3:7].tolist() == [
        0,
        120,
        240,
        360,
    ]


@pytest.mark.slow(reason='runs the shipped models on 2 x 90 frames')
@pytest.mark.parametrize('rotation', [name for name in ROTATIONS if '180' in name])
def test_people_upside_down_are_as_accurate_as_upright_ones(rotation):
    estimator = VideoPoseEstimator(*open_pose_source('gtpt-t', None))
    upright, turned = (
        measure(estimator, DANCE, name, frames=90) for name in ('none', rotation)
    )
    assert upright['missing'] == turned['missing'] == 0
    assert turned['pixels'] < 1.1 * upright['pixels']
    assert turned['PCK@0.2'] > upright['PCK@0.2'] - 0.02
    assert turned['crops'] < 1.5 * upright['crops']
