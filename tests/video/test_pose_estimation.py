"""People in all frames of a clip, and what is kept of them."""

import os

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pose_sources import BOX, Detector, Estimator
from video_files import gray_image, write_video

from mmhot.video.cache import cache_path, load_found, save_found
from mmhot.video.frames import VideoFile
from mmhot.video.people import People
from mmhot.video.pose_estimation import Finder, followed_boxes


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / 'clip.mkv', codec='ffv1', pix_fmt='bgr0')


@pytest.fixture
def finder():
    return Finder(Detector(), Estimator(), batch_size=3)


def test_every_frame_has_its_people(video, finder):
    done = []
    found = finder(VideoFile(video), progress=done.append)
    assert [len(people) for people in found.people] == [1, 1, 1, 0, 1, 1, 1, 0, 1, 1]
    assert_allclose(found.people[5].bboxes, BOX + [5, 0, 5, 0])
    assert_allclose(found.people[5].keypoints[0].mean(0), [25, 26])
    assert_allclose(found.times, np.arange(10) / 25, atol=1e-6)
    assert (found.size, found.complete, found.ended) == ((64, 48), True, '')
    assert done[-1] == 10


def test_detector_rests_between_frames(video):
    finder = Finder(Detector(), Estimator(), det_every=3)
    found = finder(VideoFile(video))
    assert finder.detector.calls == [0, 3, 6, 9]
    # frame 3 shows nobody, so that nobody is followed until 6
    assert [len(people) for people in found.people] == [1, 1, 1, 0, 0, 0, 1, 1, 1, 1]
    around = followed_boxes(found.people[0], (64, 48))
    assert_array_equal(finder.estimator.boxes[1], around)


def test_boxes_leave_room_around_sure_keypoints():
    keypoints = np.float32([[[10, 10], [20, 50], [500, 500]]])
    people = People(BOX, np.ones(1), keypoints, np.float32([[0.9, 0.9, 0.1]]))
    assert_allclose(followed_boxes(people, (64, 58)), [[4, 4, 26, 56]])
    people = People(BOX, np.ones(1), keypoints, np.float32([[0.01, 0.02, 0.1]]))
    assert np.isfinite(followed_boxes(people, (64, 58))).all()


def test_boxes_end_with_the_picture_and_leave_out_strays():
    keypoints = np.float32([[[2, 10], [20, 46], [60, 20]]])
    people = People(BOX, np.ones(1), keypoints, np.float32([[0.9, 0.9, 0.3]]))
    assert_allclose(followed_boxes(people, (64, 48)), [[0, 4.6, 25.4, 48]])


class Resting(Detector):
    """Rests for a fifth of a second, and believes who was followed."""

    interval = 0.2

    def again(self, image, known):
        self.known = known
        [(boxes, scores)] = self([image])
        boxes = np.reshape(boxes, (-1, 4))
        scores = np.concatenate([scores, np.full(len(known), 0.5)])
        return np.concatenate([boxes, known]), scores


@pytest.mark.parametrize(
    ('fps', 'every'), [(4, 1), (10, 2), (25, 5), (60, 5), (None, 5)]
)
def test_detector_rests_for_a_time(fps, every):
    assert Finder(Resting(), Estimator()).every(fps) == every
    assert Finder(Resting(), Estimator(), det_every=7).every(fps) == 7
    assert Finder(Detector(), Estimator()).every(fps) == 1


def test_who_was_followed_is_not_lost_where_the_detector_looks(video):
    finder = Finder(Resting(), Estimator(), det_every=9)
    found = finder(VideoFile(video))
    around = followed_boxes(found.people[8], (64, 48))
    assert_array_equal(finder.detector.known, around)
    assert finder.detector.calls == [0, 9]
    assert [len(people) for people in found.people] == [1] * 9 + [2]
    assert_array_equal(found.people[9].bboxes[1:], around)


def test_brief_films_are_looked_through(tmp_path):
    finder = Finder(Resting(), Estimator())
    finder(VideoFile(write_video(tmp_path / 'brief.mp4')))
    assert len(finder.detector.calls) == 10


class Fading(Estimator):
    """Unsure of whom it looks for around the frame before."""

    def __call__(self, images, boxes):
        return [
            (keypoints, np.where((own == BOX).all(), scores, scores / 10))
            for own, (keypoints, scores) in zip(
                boxes, super().__call__(images, boxes), strict=True
            )
        ]


def test_who_is_not_seen_any_more_is_not_found(video):
    found = Finder(Detector(every=1), Fading(), det_every=20)(VideoFile(video))
    assert [len(people) for people in found.people] == [1] + [0] * 9


def test_nobody_is_followed_into_another_shot(tmp_path):
    images = [gray_image(number) for number in range(10)]
    for number in (3, 4, 5, 6):
        images[number][:, :32] = (30, 200, 90)
    path = write_video(tmp_path / 'cut.mkv', images, codec='ffv1', pix_fmt='bgr0')
    finder = Finder(Detector(every=1), Estimator(), det_every=10)
    found = finder(VideoFile(path))
    assert found.cuts == [3, 7]
    assert finder.detector.calls == [0, 3, 7]
    # one who was kept is as one who was just found, whatever was interrupted
    cache = tmp_path / 'cache.npz'
    for complete in (True, False):
        found.complete = complete
        save_found(found, cache)
        assert load_found(cache, 17).cuts == [3, 7]
    half = load_found(cache, 17)
    half.people, half.times, half.cuts = half.people[:5], half.times[:5], [3]
    save_found(half, cache)
    assert finder(VideoFile(path), cache).cuts == [3, 7]


def test_boxes_that_are_none_are_left_out(video, finder):
    bad = np.array([[np.nan, 0, 5, 5], [5, 5, 5, 9], [9, 9, 3, 3], [np.inf, 0, 9, 9]])
    finder.detector = lambda images: (
        [(np.concatenate([bad, BOX]), np.ones(5))] * len(images)
    )
    found = finder(VideoFile(video))
    assert {len(people) for people in found.people} == {1}


def test_what_was_found_is_kept(video, finder, tmp_path):
    cache = tmp_path / 'out' / 'cache.npz'
    first = finder(VideoFile(video), cache)
    finder.detector = finder.estimator = None
    finder.estimator = Estimator()
    again = finder(VideoFile(video), cache)
    for one, other in zip(first.people, again.people, strict=True):
        for name in ('bboxes', 'bbox_scores', 'keypoints', 'scores'):
            assert_array_equal(getattr(one, name), getattr(other, name))
    assert (again.times, again.size) == (first.times, first.size)


def test_interrupted_search_goes_on(video, finder, tmp_path):
    cache, detect = tmp_path / 'cache.npz', finder.detector

    def interrupted(images):
        if detect.calls and detect.calls[-1] >= 5:
            raise KeyboardInterrupt
        return detect(images)

    finder.detector = interrupted
    interrupted.name = 'stand-in'
    with pytest.raises(KeyboardInterrupt):
        finder(VideoFile(video), cache)
    assert len(load_found(cache, 17).people) == 6
    finder.detector = Detector()
    found = finder(VideoFile(video), cache)
    assert finder.detector.calls == [6, 7, 8, 9]
    assert [len(people) for people in found.people] == [1, 1, 1, 0, 1, 1, 1, 0, 1, 1]
    assert_allclose(found.times, np.arange(10) / 25, atol=1e-6)


def test_another_2d_model_gets_the_boxes_that_are_known(video, finder, tmp_path):
    facts = {'detector': 'a', 'estimator': 'b'}
    one, other = (
        cache_path(tmp_path, video, {**facts, 'estimator': name}) for name in 'bc'
    )
    first = finder(VideoFile(video), one)
    finder.detector.calls.clear()
    again = finder(VideoFile(video), other)
    assert finder.detector.calls == []
    for mine, theirs in zip(first.people, again.people, strict=True):
        assert_array_equal(mine.bboxes, theirs.bboxes)
    finder(VideoFile(video), cache_path(tmp_path, video, {**facts, 'detector': 'd'}))
    assert len(finder.detector.calls) == 10


def test_end_of_a_damaged_video_is_kept(video, finder, tmp_path):
    cache = tmp_path / 'cache.npz'
    source = VideoFile(video)
    source.num_frames = 20
    finder(source, cache)
    again = VideoFile(video)
    found = finder(again, cache)
    assert found.ended == again.ended == f'{video} ends after 10 of 20 frames'


def test_video_without_frames_is_refused(video, finder, monkeypatch):
    source = VideoFile(video)
    monkeypatch.setattr(VideoFile, '__iter__', lambda self: iter(()))
    with pytest.raises(ValueError, match=r'clip.mkv has no frames'):
        finder(source)


def test_cache_belongs_to_the_bytes_and_the_models(video, tmp_path):
    facts = {'estimator': 'a'}
    path = cache_path(tmp_path, video, facts)
    assert path == cache_path(tmp_path, video, dict(facts))
    assert path.name.startswith('clip-')
    assert path != cache_path(tmp_path, video, {'estimator': 'b'})
    status = video.stat()
    video.write_bytes(video.read_bytes()[:-1] + b'x')
    os.utime(video, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path != cache_path(tmp_path, video, facts)


def test_folders_of_pictures_have_caches_too(tmp_path):
    import cv2

    for number in range(2):
        data = cv2.imencode('.png', gray_image(number))[1].tobytes()
        (tmp_path / f'{number}.png').write_bytes(data)
    path = cache_path(tmp_path, tmp_path, {})
    (tmp_path / '2.png').write_bytes(b'another')
    assert path != cache_path(tmp_path, tmp_path, {})


def test_damaged_caches_are_ignored(video, finder, tmp_path):
    path = tmp_path / 'cache.npz'
    assert load_found(path, 17) is None
    path.write_bytes(b'no archive')
    assert load_found(path, 17) is None
    save_found(finder(VideoFile(video)), path)
    assert load_found(path, 26) is None


@pytest.mark.parametrize('name', ['det_every', 'batch_size'])
def test_numbers_below_one_are_refused(name):
    with pytest.raises(ValueError, match=f'{name} must be at least 1, got 0'):
        Finder(Detector(), Estimator(), **{name: 0})
