"""Where a film goes on with another shot."""

import sys

import cv2
import numpy as np
import pytest

from mmhot.video.cuts import CutDetector


def shot(seed, num_frames, size=(320, 240)):
    """A picture that pans by a hundredth a frame, under light that flickers."""
    width, height = size
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (12, 20, 3), np.uint8)
    wide = cv2.resize(coarse, (width * 2, height), interpolation=cv2.INTER_CUBIC)
    return [
        cv2.convertScaleAbs(
            wide[:, n * width // 100 :][:, :width], alpha=rng.uniform(0.9, 1.1)
        )
        for n in range(num_frames)
    ]


@pytest.mark.parametrize('size', [(320, 240), (1920, 1080), (90, 160)])
def test_shots_begin_at_cuts_alone(size):
    begins = CutDetector()
    frames = [*shot(0, 12, size), *shot(1, 2, size), *shot(2, 9, size)]
    told = [begins(frame) for frame in frames]
    assert np.flatnonzero(told).tolist() == [12, 14]


def test_no_shot_begins_in_one(tmp_path):
    begins = CutDetector()
    assert not any(begins(frame) for frame in shot(3, 40))


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'scenedetect.detectors', None)
    with pytest.raises(ValueError, match='films need PySceneDetect: pip install'):
        CutDetector()
