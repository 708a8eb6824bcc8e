"""2D poses of all frames of a clip, and their cache."""

import weakref
from pathlib import Path

import numpy as np
import pytest
from pose_sources import BOX, Detector, Estimator, FunctionDetector, FunctionEstimator
from video_files import gray_image, write_video

from mmhot.chain.frames import files as frames
from mmhot.chain.frames.files import VideoFile
from mmhot.chain.frames.sources import Frame, FrameSource
from mmhot.chain.pose2d.cache import load_people, save_people
from mmhot.chain.pose2d.estimation import VideoPoseEstimator
from mmhot.chain.pose2d.pose_search import PoseSearch
from mmhot.chain.pose2d.user_models import UserDetector, UserEstimator
from mmhot.errors import StepError
from mmhot.structures.people import People, round_boxes


@pytest.fixture
def poses_2d():
    return VideoPoseEstimator(Detector(), Estimator(), batch_size=3)


def test_every_frame_has_its_people(video, poses_2d):
    done = []
    found = poses_2d(VideoFile(video), progress=done.append)
    assert [len(people) for people in found.people] == [1, 1, 1, 0, 1, 1, 1, 0, 1, 1]
    np.testing.assert_allclose(found.people[5].bboxes, BOX + [5, 0, 5, 0])
    np.testing.assert_allclose(found.people[5].keypoints[0].mean(0), [25, 26])
    np.testing.assert_allclose(found.times, np.arange(10) / 25, atol=1e-6)
    assert (found.size, found.complete, found.ended) == ((64, 48), True, '')
    assert done[-1] == 10


def test_detector_skips_frames(video):
    poses_2d = VideoPoseEstimator(Detector(), Estimator(), det_every=3)
    found = poses_2d(VideoFile(video))
    assert poses_2d.detector.calls == [0, 3, 6, 9]
    # frame 3 is empty; the person of frame 6 is searched backwards to frame 4
    assert [len(people) for people in found.people] == [1, 1, 1, 0, 1, 1, 1, 1, 1, 1]
    around = PoseSearch(None, (64, 48)).boxes_of(found.people[0])
    np.testing.assert_array_equal(poses_2d.estimator.boxes[1], round_boxes(around))


KEYPOINTS, SCORES = np.zeros((1, 17, 2)), np.ones((1, 17))
BOXES = BOX, np.ones(1)
# What own detectors and 2D models return for two images of one person each.
WRONG_BOXES = None, [BOXES], [(BOX, np.ones(3))] * 2, [BOX] * 2, dict(boxes=BOXES)
WRONG_POSES = (
    *(None, [(KEYPOINTS, SCORES)], dict(poses=KEYPOINTS), [KEYPOINTS] * 2),
    [(np.zeros((1, 17, 3)), SCORES)] * 2,
    [(KEYPOINTS, SCORES[..., None])] * 2,
    [(KEYPOINTS[[0, 0]], SCORES[[0, 0]])] * 2,
    [(KEYPOINTS[:0], SCORES[:0])] * 2,
    [(KEYPOINTS[:, :16], SCORES[:, :16])] * 2,
)


@pytest.mark.parametrize('found', WRONG_BOXES)
def test_wrong_boxes_of_own_detectors_are_one_line(found):
    detector = UserDetector(FunctionDetector(lambda images: found))
    text = r"the detector 'function': .* pairs, boxes \(P, 4\) .* it returned "
    with pytest.raises(StepError, match=text):
        detector([gray_image(), gray_image()])


@pytest.mark.parametrize('found', WRONG_POSES)
def test_wrong_poses_of_own_models_are_one_line(found):
    model = UserEstimator(FunctionEstimator(lambda images, boxes: found))
    text = r"the 2D model 'function': .* pairs, keypoints \(P, 17, 2\) .* it returned "
    with pytest.raises(StepError, match=text):
        model([gray_image(), gray_image()], [BOX, BOX])


def test_models_get_rounded_boxes_in_videos(poses_2d):
    """Others' keypoints, and so the next boxes, differ with any small difference."""
    random = np.random.default_rng(0)
    low = random.uniform(0, 900, (400, 2))
    boxes = np.hstack([low, low + random.uniform(20, 600, (400, 2))]).astype(np.float32)
    rounded = round_boxes(boxes)
    side = (boxes[:, 2:] - boxes[:, :2]).max(1)
    assert (np.abs(rounded - boxes).max(1) <= side / 64).all()
    assert (rounded == round_boxes(boxes + np.float32(1e-3))).all(1).mean() > 0.98
    image = gray_image(size=(1600, 1600))
    poses_2d.detector = FunctionDetector(lambda _: [(boxes, np.ones(400))])
    poses_2d.detect([image])
    np.testing.assert_array_equal(poses_2d.estimator.boxes[-1], rounded)
    poses_2d.detect([image], video=False)
    np.testing.assert_array_equal(poses_2d.estimator.boxes[-1], boxes)


def test_boxes_are_padded_around_confident_keypoints():
    keypoints = np.float32([[[10, 10], [20, 50], [500, 500]]])
    people = People(BOX, np.ones(1), keypoints, np.float32([[0.9, 0.9, 0.1]]))
    np.testing.assert_allclose(
        PoseSearch(None, (64, 58)).boxes_of(people), [[4, 4, 26, 56]]
    )
    people = People(BOX, np.ones(1), keypoints, np.float32([[0.01, 0.02, 0.1]]))
    assert np.isfinite(PoseSearch(None, (64, 58)).boxes_of(people)).all()


class Resting(Detector):
    """Detects every fifth of a second, and keeps tracked people."""

    interval = 0.2

    redetects = True

    def redetect(self, image, tracked):
        self.tracked = tracked
        [(boxes, scores)] = self([image])
        boxes = np.reshape(boxes, (-1, 4))
        scores = np.concatenate([scores, np.full(len(tracked), 0.5)])
        return np.concatenate(
            [boxes, PoseSearch(None, (64, 48)).boxes_of(tracked)]
        ), scores


@pytest.mark.parametrize(
    ('fps', 'every'), [(4, 1), (10, 2), (25, 5), (240, 30), (None, 12)]
)
def test_interval_of_the_detector_is_in_seconds(fps, every):
    assert VideoPoseEstimator(Resting(), Estimator()).detection_interval(fps) == every
    given = VideoPoseEstimator(Resting(), Estimator(), det_every=7)
    assert given.detection_interval(fps) == 7
    assert VideoPoseEstimator(Detector(), Estimator()).detection_interval(fps) == 1


def test_tracked_people_are_redetected(video):
    poses_2d = VideoPoseEstimator(Resting(), Estimator(), det_every=9)
    found = poses_2d(VideoFile(video))
    [last] = {len(people) for people in found.people[8:]}
    assert last == 2
    assert poses_2d.detector.calls == [0, 9]
    [row] = np.flatnonzero(found.people[9].bbox_scores == 0.5)
    tracked = poses_2d.detector.tracked.keypoints[0]
    np.testing.assert_array_equal(tracked, found.people[9].keypoints[row])
    # what is detected again is filtered, too
    poses_2d.filter_boxes = lambda boxes: tuple(values[:1] for values in boxes)
    assert {len(people) for people in poses_2d(VideoFile(video)).people} == {1}


def test_every_frame_of_short_videos_is_detected(tmp_path):
    poses_2d = VideoPoseEstimator(Resting(), Estimator())
    poses_2d(VideoFile(write_video(tmp_path / 'brief.mp4')))
    assert len(poses_2d.detector.calls) == 10


def test_people_are_not_searched_across_cuts(tmp_path):
    images = [gray_image(number) for number in range(10)]
    for number in (3, 4, 5, 6):
        images[number][:, :32] = (30, 200, 90)
    path = write_video(tmp_path / 'cut.mkv', images, codec='ffv1')
    poses_2d = VideoPoseEstimator(Detector(every=1), Estimator(), det_every=10)
    clip = poses_2d(VideoFile(path))
    assert clip.cuts == [3, 7]
    assert poses_2d.detector.calls == [0, 3, 7]
    # cached cuts are the same
    cache = tmp_path / 'cache.npz'
    for complete in (True, False):
        clip.complete = complete
        save_people(clip, cache)
        assert load_people(cache).cuts == [3, 7]
    half = load_people(cache)
    half.people, half.times, half.cuts = half.people[:5], half.times[:5], [3]
    save_people(half, cache)
    assert poses_2d(VideoFile(path), cache).cuts == [3, 7]


def test_invalid_boxes_are_dropped(video, poses_2d):
    bad = np.array([[np.nan, 0, 5, 5], [5, 5, 5, 9], [9, 9, 3, 3], [np.inf, 0, 9, 9]])
    poses_2d.detector = FunctionDetector(
        lambda images: [(np.concatenate([bad, BOX]), np.ones(5))] * len(images)
    )
    assert {len(people) for people in poses_2d(VideoFile(video)).people} == {1}


def test_interrupted_run_is_resumed(video, poses_2d, tmp_path):
    cache, detect = tmp_path / 'cache.npz', poses_2d.detector

    def interrupted(images):
        if detect.calls and detect.calls[-1] >= 5:
            raise KeyboardInterrupt
        return detect(images)

    poses_2d.detector = FunctionDetector(interrupted)
    with pytest.raises(KeyboardInterrupt):
        poses_2d(VideoFile(video), cache)
    assert len(load_people(cache).people) == 6
    poses_2d.detector = Detector()
    clip = poses_2d(VideoFile(video), cache)
    assert poses_2d.detector.calls == [6, 7, 8, 9]
    assert [len(people) for people in clip.people] == [1, 1, 1, 0, 1, 1, 1, 0, 1, 1]
    np.testing.assert_allclose(clip.times, np.arange(10) / 25, atol=1e-6)


def test_end_of_a_damaged_video_is_cached(video, poses_2d, tmp_path, monkeypatch):
    cache, expected = tmp_path / 'cache.npz', frames._expected_end
    monkeypatch.setattr(frames, '_expected_end', lambda video: 5 * expected(video))
    poses_2d(VideoFile(video), cache)
    found = poses_2d(VideoFile(video), cache)
    assert found.ended == f'{video} ends after 0.4 of 2.0 seconds, 10 frames'


def test_video_without_frames_is_refused(video, poses_2d, monkeypatch):
    source = VideoFile(video)
    monkeypatch.setattr(VideoFile, '__iter__', lambda self: iter(()))
    with pytest.raises(ValueError, match=r'clip.mkv has no frames'):
        poses_2d(source)


def test_frames_are_not_held():
    """Hours of video take the memory of two batches and of the frames read ahead."""
    seen, most = [], [0]

    class Video(FrameSource):
        def __iter__(self):
            for index in range(100):
                image = gray_image(index % 50)
                seen.append(weakref.ref(image))
                most[0] = max(most[0], sum(one() is not None for one in seen))
                yield Frame(index, index / 25, image)
                del image

    clip = VideoPoseEstimator(Detector(every=1), Estimator(), batch_size=4)(
        Video('video', Path('video'), 25.0)
    )
    assert len(clip.people) == 100
    assert most[0] <= 2 * 5 + 3 + 5
