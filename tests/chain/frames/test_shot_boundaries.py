"""Shot boundaries."""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from mmhot.chain.frames.shot_boundaries import CutDetector
from mmhot.chain.frames.sources import Frame


def shot(seed, num_frames, size=(320, 240)):
    """An image that pans by half a hundredth a frame, under light that flickers."""
    width, height = size
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (12, 20, 3), np.uint8)
    wide = cv2.resize(coarse, (width * 2, height), interpolation=cv2.INTER_CUBIC)
    return [
        cv2.convertScaleAbs(
            wide[:, n * width // 200 :][:, :width], alpha=rng.uniform(0.9, 1.1)
        )
        for n in range(num_frames)
    ]


def cuts(frames):
    detector, seen = CutDetector(), []
    video = (Frame(index, index / 25, image) for index, image in enumerate(frames))
    for number, frame in enumerate(detector(video)):
        assert frame.index == number
        assert frame.image is frames[number]
        seen += [number] * (number in detector.cuts)
    # known when the frames are yielded, and final
    assert (seen, number) == (detector.cuts, len(frames) - 1)
    return detector.cuts


@pytest.mark.parametrize('size', [(320, 240), (1920, 1080), (90, 160)])
def test_shots_begin_at_cuts_alone(size):
    frames = [*shot(0, 12, size), *shot(1, 5, size), *shot(2, 9, size)]
    assert cuts(frames) == [12, 17]
    assert cuts(shot(3, 40, size)) == []


def test_gray_images_differ_by_their_brightness():
    frames = [*shot(0, 9), *shot(1, 5), *shot(2, 9)]
    gray = [np.repeat(frame.mean(-1, keepdims=True), 3, -1) for frame in frames]
    assert cuts([frame.astype(np.uint8) for frame in gray]) == [9, 14]


def test_flashes_are_no_cuts():
    frames = shot(0, 20)
    for number in (7, 13, 14):
        frames[number] = cv2.convertScaleAbs(frames[number], beta=120)
    assert cuts(frames) == []
    # a change that is as short is a flash
    assert cuts([*shot(0, 9), *shot(1, 3), *shot(0, 12)[9:]]) == []
    assert cuts([*shot(0, 9), *shot(1, 3), *shot(2, 9)]) == [9, 12]


def test_pans_and_noise_are_no_cuts():
    rng = np.random.default_rng(0)
    width = 320
    blocks = rng.integers(60, 190, (12, 90, 3), np.uint8)
    wide = cv2.resize(blocks, (width * 5, 240), interpolation=cv2.INTER_NEAREST)
    # from the tenth frame on an eighth of the width each
    starts = np.cumsum([0] * 10 + [width // 8] * 24)
    pan = [wide[:, start : start + width] for start in starts]
    steps = [np.abs(np.subtract(a, b, dtype=float)).mean() for a, b in pairwise(pan)]
    assert min(steps[10:]) > 30
    assert cuts(pan) == []
    assert cuts([*pan, *shot(1, 9)]) == [34]

    def noisy(frame):
        noise = rng.normal(0, 60, (60, 80)).repeat(4, 0).repeat(4, 1)[..., None]
        return (frame * 0.1 + 60 + noise).clip(0, 255).astype(np.uint8)

    dark = [noisy(frame) for frame in shot(2, 30)]
    assert cuts(dark) == []
    assert cuts([*dark[:20], *shot(1, 9)]) == [20]
    # nor are slides
    assert cuts([shot(seed, 1)[0] for seed in range(9)]) == []
