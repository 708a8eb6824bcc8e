"""Chunks of a video that are filled in a thread."""

import threading

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from pose_sources import Detector, Estimator
from video_files import gray_image, write_video

from mmhot.video.cache import ClipPeople, load_people
from mmhot.video.frames import Frame, VideoFile
from mmhot.video.overlap import ChunkFiller
from mmhot.video.pose_estimation import VideoPoseEstimator


class SafeEstimator(Estimator):
    is_thread_safe = True


@pytest.fixture
def video(tmp_path):
    images = [gray_image(number) for number in range(20)]
    return write_video(tmp_path / 'clip.mkv', images, codec='ffv1', pix_fmt='bgr0')


def estimate(video, estimator, cache=None, detector=None):
    poses_2d = VideoPoseEstimator(detector or Detector(), estimator, det_every=4)
    return poses_2d(VideoFile(video), cache)


def test_results_are_the_same_in_a_thread(video):
    alone, overlapped = estimate(video, Estimator()), estimate(video, SafeEstimator())
    assert alone.times == overlapped.times
    assert len(alone.people) == len(overlapped.people) == 20
    for first, second in zip(alone.people, overlapped.people, strict=True):
        for one, other in zip(vars(first).values(), vars(second).values(), strict=True):
            assert_array_equal(one, other)


def test_interrupted_run_goes_on_as_it_would_have(video, tmp_path):
    class Interrupted(Detector):
        def __call__(self, images):
            if len(self.calls) > 3:
                raise KeyboardInterrupt
            return super().__call__(images)

    cache = tmp_path / 'cache.npz'
    with pytest.raises(KeyboardInterrupt):
        estimate(video, SafeEstimator(), cache, Interrupted())
    assert 1 <= len(load_people(cache, 17).people) < 20
    found = estimate(video, SafeEstimator(), cache)
    whole = estimate(video, SafeEstimator())
    for first, second in zip(found.people, whole.people, strict=True):
        assert_array_equal(first.keypoints, second.keypoints)


def test_people_of_keyframes_are_known_before_the_chunk_is_filled():
    go_on, clip, done = threading.Event(), ClipPeople(), []
    frames = [
        Frame(index, index / 25, np.zeros((2, 2, 3), np.uint8)) for index in (0, 1)
    ]

    def fill():
        assert go_on.wait(10)
        return ['first', 'last']

    with ChunkFiller(clip, True, lambda _: done.append(len(clip.people))) as filler:
        filler.add(frames, {1: 'last'}, fill)
        assert filler.people(1) == 'last'
        assert clip.people == []
        go_on.set()
        assert filler.people(0) == 'first'
    assert clip.people == ['first', 'last']
    assert clip.times == [0, 1 / 25]
    assert done == [2]


def test_errors_of_the_thread_are_raised():
    def fill():
        raise ValueError('in the thread')

    with (
        pytest.raises(ValueError, match='in the thread'),
        ChunkFiller(ClipPeople(), True, lambda: None) as filler,
    ):
        filler.add([], {}, fill)
