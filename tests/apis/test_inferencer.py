"""``Inferencer`` has the interface of MMPose's and lifts whole clips."""

import inspect
import json
import weakref
from dataclasses import fields

import cv2
import numpy as np
import pytest
from lifters import save_lifter
from mmpose.apis import MMPoseInferencer
from numpy.testing import assert_allclose, assert_array_equal
from pose_sources import BOX, Detector, Estimator, FunctionDetector, use_stand_ins
from video_files import gray_image, write_video

from mmhot.apis import Inferencer, inferencer_inputs
from mmhot.apis.inferencer_inputs import (
    REFUSED,
    WITHOUT_EFFECT,
    CallOptions,
    read_call_options,
)
from mmhot.io.readers.keypoints import read_keypoints
from mmhot.lifting.lifter import Lifter
from mmhot.video.frames import VideoFile
from mmhot.video.pipeline import VideoLifter
from mmhot.video.pose_estimation import VideoPoseEstimator
from mmhot.video.sources.detectors import BoxFilter
from mmhot.video.sources.pose_source import PoseSource
from mmhot.video.streams import open_stream


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    return save_lifter(tmp_path_factory.mktemp('lifter') / 'tiny.pth')


@pytest.fixture
def models(monkeypatch):
    """Stand-ins for the 2D models, with one person in every image."""
    pair = PoseSource(Detector(every=1), Estimator())
    use_stand_ins(monkeypatch, *pair)
    return pair


@pytest.fixture
def flat(models):
    return Inferencer('some.onnx', device='cpu')


@pytest.fixture
def lifting(models, checkpoint):
    return Inferencer('some.onnx', pose3d_weights=checkpoint, device='cpu')


@pytest.fixture
def video(tmp_path):
    return str(write_video(tmp_path / 'clip.mkv', codec='ffv1', pix_fmt='bgr0'))


@pytest.fixture
def images_folder(tmp_path):
    """Image files whose names sort differently from their numbers."""
    folder = tmp_path / 'images_folder'
    folder.mkdir()
    for number in (2, 10):
        cv2.imwrite(str(folder / f'shot{number}.png'), gray_image(number))
    return folder


def people(result):
    (instances,) = result['predictions']
    return instances


def boxes(results):
    return [person['bbox'][0] for result in results for person in people(result)]


def test_arguments_and_their_defaults_are_mmposes():
    for ours, theirs in (
        (Inferencer, MMPoseInferencer),
        (Inferencer.__call__, MMPoseInferencer.__call__),
    ):
        ours, theirs = (
            {name: x.default for name, x in inspect.signature(f).parameters.items()}
            for f in (ours, theirs)
        )
        assert list(ours.items()) == list(theirs.items())


def test_every_argument_of_mmpose_is_supported_or_refused():
    theirs = {
        name
        for kind in ('preprocess', 'forward', 'visualize', 'postprocess')
        for name in getattr(MMPoseInferencer, f'{kind}_kwargs')
    }
    followed = {field.name for field in fields(CallOptions)}
    assert theirs <= followed | set(REFUSED) | WITHOUT_EFFECT
    assert not followed & set(REFUSED)
    # their supported values are accepted
    read_call_options(**{name: usual for name, (usual, _) in REFUSED.items()})
    read_call_options(disable_norm_pose_2d=True, vis_out_dir=None)


@pytest.mark.parametrize(
    ('options', 'error', 'message'),
    [
        ({'draw_boxes': True}, TypeError, "'draw_boxes'; did you mean draw_bbox?"),
        ({'use_oks_tracking': True}, ValueError, 'use_oks_tracking=True is not'),
        ({'bboxes': [[1, 2, 3, 4]]}, ValueError, 'det_model detects people'),
        ({'kpt_thr': 3}, ValueError, 'kpt_thr must be from 0 to 1, got 3'),
        ({'batch_size': 0}, ValueError, 'batch_size must be at least 1, got 0'),
        ({'axes': 'y-up'}, ValueError, "got 'y-up'"),
        ({'fps': 0}, ValueError, 'fps must be above 0'),
    ],
)
def test_wrong_arguments_are_refused_before_any_work(
    flat, video, options, error, message
):
    with pytest.raises(error, match=message) as caught:
        flat(video, **options)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({}, 'pose2d or pose3d must be given'),
        ({'pose2d': 'a', 'scope': 'mmdet'}, "scope must be .* got 'mmdet'"),
        ({'pose2d': 'a', 'det_cat_ids': [0, 2]}, 'det_cat_ids must be 0'),
        ({'pose2d': {'type': 'x'}}, 'pose2d must be a name or file, got a dict'),
        ({'pose3d': 'nanohtnett'}, 'nanohtnett'),
        ({'pose3d': 'human3d'}, r'a lifter of MMPose: name a config of mmhot'),
    ],
)
def test_wrong_models_are_refused(models, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        Inferencer(**options)
    assert '\n' not in str(caught.value)


def test_videos_give_results_frame_by_frame_as_they_are_read(flat, models, video):
    results = flat(video)
    first = next(results)
    assert models.detector.calls == [0]
    assert first['visualization'] is None
    (person,) = people(first)
    assert list(person) == [
        *('keypoints', 'keypoint_scores', 'bbox', 'bbox_score', 'track_id')
    ]
    assert np.shape(person['keypoints']) == (17, 2)
    assert_allclose(np.mean(person['keypoints'], 0), [20, 26])
    assert_allclose(person['bbox'], BOX)
    assert person['bbox_score'] == pytest.approx(0.9)
    rest = list(results)
    assert len(rest) == 9
    assert_allclose(
        np.array(boxes(rest)) - BOX, np.arange(1, 10)[:, None] * ([1, 0] * 2)
    )
    assert {person['track_id'] for result in rest for person in people(result)} == {0}


def test_frames_go_through_the_models_in_batches(flat, models, video):
    results = flat(video, batch_size=4)
    next(results)
    assert models.detector.calls == [0, 1, 2, 3]
    assert len(list(results)) == 9


def test_lifted_videos_are_those_of_the_whole_clip(lifting, models, video, checkpoint):
    results = lifting(video, axes='camera')
    found = [people(result)[0] for result in results]
    pipeline = VideoLifter(VideoPoseEstimator(*models), Lifter(None, checkpoint))
    clip, _ = pipeline(VideoFile(video))
    assert len(found) == len(clip.frame) == 10
    for row, person in enumerate(found):
        assert person['track_id'] == 0
        assert_array_equal(np.float32(person['keypoints']), clip.keypoints_3d[row])
        assert_array_equal(np.float32(person['root']), clip.root_3d[row])
        assert_array_equal(np.float32(person['keypoints_2d']), clip.keypoints_2d[row])
        assert_allclose(person['bbox'], BOX + [row, 0, row, 0])
    assert np.ptp(clip.keypoints_3d, 0).max() > 0


def test_people_are_lifted_in_frames_without_detection(lifting, models, video):
    models.detector.every = 4  # frames 3 and 7 have no detection
    found = [people(result)[0] for result in lifting(video)]
    assert [row for row, person in enumerate(found) if 'bbox' not in person] == [3, 7]
    assert not np.any(found[3]['keypoint_scores'])
    assert np.isfinite(found[3]['keypoints']).all()


def test_frames_are_not_kept(flat, lifting, video, monkeypatch):
    def watch(self, images):
        seen.extend(weakref.ref(image) for image in images)
        return detect(self, images)

    seen, detect = [], Detector.__call__
    monkeypatch.setattr(Detector, '__call__', watch)
    for run in (flat, lifting):
        for _ in run(video, batch_size=2):
            assert sum(image() is not None for image in seen) <= 2
        assert len(seen) == 10
        seen.clear()


def test_axes_are_those_of_mmpose_by_default(lifting, video):
    def keypoints(**options):
        found = [people(result)[0]['keypoints'] for result in lifting(video, **options)]
        return np.array(found)

    camera, upright = keypoints(axes='camera'), keypoints(axes='z-up')
    x, y, z = np.moveaxis(camera, -1, 0)
    assert_allclose(upright, np.stack([x, z, -y], -1))
    theirs = keypoints(disable_rebase_keypoint=True)
    # as MMPose's Pose3DInferencer.forward does it
    expected = camera[..., [0, 2, 1]] * [-1, 1, -1]
    assert_allclose(theirs, expected)
    expected[..., 2] -= expected[..., 2].min(-1, keepdims=True)
    assert_allclose(keypoints(), expected, atol=1e-6)


def test_images_of_a_folder_are_separate(flat, lifting, images_folder, tmp_path):
    out = tmp_path / 'out'
    results = list(flat(str(images_folder), out_dir=str(out), batch_size=2))
    assert_allclose(
        boxes(results), np.concatenate([BOX + [2, 0] * 2, BOX + [10, 0] * 2])
    )
    assert all('track_id' not in person for x in results for person in people(x))
    names = {str(path.relative_to(out)) for path in out.rglob('*.*')}
    assert names == {
        f'{kind}/shot{number}.{form}'
        for kind, form in (('predictions', 'json'), ('visualizations', 'png'))
        for number in (2, 10)
    }
    written = json.loads((out / 'predictions/shot10.json').read_text())
    assert written == json.loads(json.dumps(people(results[1])))
    for result in lifting(images_folder):
        (person,) = people(result)
        assert np.shape(person['keypoints']) == (17, 3)
        assert 'track_id' not in person


def test_fps_makes_images_one_video(lifting, images_folder, tmp_path):
    results = list(lifting(images_folder, fps=10, pred_out_dir=tmp_path))
    assert [people(result)[0]['track_id'] for result in results] == [0, 0]
    document = json.loads((tmp_path / 'images_folder.json').read_text())
    assert [entry['frame_id'] for entry in document] == [0, 1]


def test_arrays_lists_and_generators_are_inputs(flat, video):
    images = [gray_image(number) for number in range(3)]
    assert len(list(flat(images[0]))) == 1
    assert_allclose(boxes(flat(images))[2], BOX[0] + [2, 0] * 2)
    results = flat(image for image in images)
    assert_allclose(boxes(results)[1], BOX[0] + [1, 0] * 2)
    results = list(flat([images[0], video, images[1]], return_datasamples=True))
    names = [result['predictions'][0].metainfo['img_path'] for result in results]
    assert names == ['000000.jpg', *['clip'] * 10, '000002.jpg']


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ('none.mp4', 'none.mp4 does not exist'),
        ('webcam:99', 'there is no webcam 99'),
        (3, 'got int'),
        ([3], 'input 0 must be a path, an address or an array, got int'),
    ],
)
def test_wrong_inputs_are_refused_at_once(flat, given, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        flat(given)


def test_webcams_are_streams_in_2d(flat, lifting, video, monkeypatch):
    # a video file stands in for the webcam
    monkeypatch.setattr(
        inferencer_inputs, 'open_stream', lambda number: open_stream(video)
    )
    results = list(flat('webcam'))
    assert 1 <= len(results) <= 10
    assert {people(result)[0]['track_id'] for result in results} == {0}
    with pytest.raises(ValueError, match='mmhot infer --live'):
        next(lifting('webcam:0'))


def test_arrays_that_are_no_images_are_refused(flat):
    with pytest.raises(ValueError, match=r'uint8 \(H, W, 3\), got float64 \(4, 4\)'):
        next(flat(np.zeros((4, 4))))


def test_datasamples_hold_arrays(lifting, flat, video):
    sample = next(lifting(video, return_datasamples=True))['predictions'][0]
    assert sample.pred_instances.keypoints.shape == (1, 17, 3)
    assert sample.pred_instances.keypoint_scores.shape == (1, 17)
    assert sample.metainfo['ori_shape'] == (48, 64)
    sample = next(flat(video, return_datasamples=True))['predictions'][0]
    assert_allclose(sample.pred_instances.bboxes, BOX)
    assert_array_equal(sample.pred_instances.track_ids, [0])


def test_images_without_people_give_empty_lists(flat, lifting, models, video):
    models.detector.every = 0
    for run in (flat, lifting):
        results = list(run(video, return_vis=True))
        assert [people(result) for result in results] == [[]] * 10
        assert results[0]['visualization'][0].shape[0] == 48


def test_images_of_low_confidence_do_not_stop_the_others(
    lifting, models, images_folder, monkeypatch, caplog
):
    def with_zero_scores(self, images, boxes):
        return [(points, 0 * scores) for points, scores in find(self, images, boxes)]

    find = Estimator.__call__
    monkeypatch.setattr(Estimator, '__call__', with_zero_scores)
    assert [people(result) for result in lifting(images_folder)] == [[], []]
    assert 'shot2: no person is lifted: ' in caplog.text


def test_drawings_are_rgb_and_keep_colors(flat, lifting, video):
    image = np.full((48, 64, 3), (200, 30, 10), np.uint8)  # blue, in OpenCV's order
    (result,) = flat(image, return_vis=True)
    (drawn,) = result['visualization']
    assert drawn.shape == image.shape
    assert_array_equal(drawn[0, 0], [10, 30, 200])
    assert (drawn != drawn[0, 0]).any()
    (drawn,) = next(lifting(video, return_vis=True))['visualization']
    assert drawn.shape == (48, 64 + 48, 3)
    (drawn,) = next(flat(video, return_vis=True, black_background=True))[
        'visualization'
    ]
    assert not drawn[:5].any()


def test_files_of_a_video_hold_all_frames(flat, lifting, video, tmp_path):
    for run, width in ((flat, 64), (lifting, 112)):
        out = tmp_path / str(width)
        results = list(run(video, out_dir=str(out)))
        assert results[0]['visualization'] == []
        document = json.loads((out / 'predictions/clip.json').read_text())
        assert [entry['frame_id'] for entry in document] == list(range(10))
        expected = json.loads(json.dumps([people(result) for result in results]))
        assert [entry['instances'] for entry in document] == expected
        written = VideoFile(out / 'visualizations/clip.mp4')
        assert [frame.image.shape for frame in written] == [(48, width, 3)] * 10
        assert written.fps == 25


def test_predictions_in_2d_can_be_lifted_later(flat, video, tmp_path):
    for _ in flat(video, pred_out_dir=str(tmp_path)):
        pass
    clip = read_keypoints(tmp_path / 'clip.json', image_size=(64, 48), fps=25)
    assert [len(track.frames) for track in clip.tracks] == [10]
    assert clip.skeleton == 'coco-17'


def test_stopping_early_keeps_the_files_so_far(flat, video, tmp_path):
    results = flat(video, out_dir=str(tmp_path))
    next(results), next(results)
    results.close()
    document = json.loads((tmp_path / 'predictions/clip.json').read_text())
    assert len(document) == 2
    assert len(list(VideoFile(tmp_path / 'visualizations/clip.mp4'))) == 2


def test_one_file_can_be_named_for_one_input(flat, images_folder, tmp_path):
    target = tmp_path / 'drawn.jpg'
    list(flat(images_folder / 'shot2.png', vis_out_dir=target))
    assert cv2.imread(str(target)).shape == (48, 64, 3)
    with pytest.raises(ValueError, match='one file, and there are 2 inputs'):
        flat(images_folder, vis_out_dir=target)


def test_results_overwrite_neither_inputs_nor_each_other(flat, images_folder, video):
    with pytest.raises(ValueError, match='would be overwritten by a result'):
        flat(images_folder, vis_out_dir=images_folder)
    with pytest.raises(ValueError, match='would both be written as'):
        flat([video, video], pred_out_dir='out')


def test_results_of_one_input_do_not_overwrite_another(flat, tmp_path):
    paths = []
    for name in ('a/shot.png', 'b/shot.png', 'b/shot.jpg', 'b/other.png'):
        paths.append(tmp_path / name)
        paths[-1].parent.mkdir(exist_ok=True)
        cv2.imwrite(str(paths[-1]), gray_image())
    first, second, third, other = paths
    before = [path.read_bytes() for path in paths]
    with pytest.raises(ValueError, match='b/shot.png would be overwritten'):
        flat([first, other, second], vis_out_dir=tmp_path / 'b')
    with pytest.raises(ValueError, match='would both be written as shot.json'):
        flat([second, third], pred_out_dir=tmp_path / 'out')
    # an iterator is read while results are requested
    results = flat(iter([first, second]), pred_out_dir=tmp_path / 'out')
    next(results)
    with pytest.raises(ValueError, match='would both be written as shot.json'):
        next(results)
    link = tmp_path / 'out' / 'shot.png'
    link.symlink_to(first)
    with pytest.raises(ValueError, match='would be overwritten'):
        flat([first], vis_out_dir=tmp_path / 'out')
    assert [path.read_bytes() for path in paths] == before


def test_earlier_results_are_replaced(flat, tmp_path):
    images = [gray_image(0), gray_image(1)]
    for count in (2, 1):
        list(flat(images[:count], fps=5, out_dir=str(tmp_path)))
        document = json.loads((tmp_path / 'predictions/000000.json').read_text())
        assert len(document) == count


def test_missing_windows_are_reported(flat, monkeypatch):
    def fail(*_):
        raise cv2.error('no GUI')

    monkeypatch.setattr(cv2, 'imshow', fail)
    with pytest.raises(ValueError, match='show=True needs a screen'):
        next(flat(gray_image(), show=True))


def test_boxes_are_left_out_as_in_mmpose():
    found = np.float32(
        [[0, 0, 10, 10], [1, 0, 11, 10], [50, 0, 60, 10], [90, 0, 99, 9]]
    )
    scores = np.float32([0.5, 0.9, 0.3, 0.31])
    detector = Detector()
    detector = BoxFilter(FunctionDetector(lambda _: [(found, scores), ([], [])]))
    (kept, kept_scores), (none, _) = detector([None, None])
    assert_allclose(kept, found[[1, 3]])
    assert_allclose(kept_scores, [0.9, 0.31])
    assert none.shape == (0, 4)
    detector.nms_thr = 0.9
    assert len(detector([None, None])[0][0]) == 3


@pytest.mark.parametrize('dimensions', ['flat', 'lifting'])
def test_detectors_run_at_their_interval(dimensions, request, video):
    find, asked = request.getfixturevalue(dimensions), []
    find.detector = Seldom(find.detector, asked)
    assert len(list(find(video, batch_size=3))) == 10
    assert sum(asked) == 3


class Seldom(FunctionDetector):
    """A detector with an interval of four frames at 25 frames per second."""

    name, interval = 'seldom', 0.16
    identity = {'name': name}

    def __init__(self, detector, asked):
        super().__init__(detector)
        self.detector, self.asked = detector, asked

    def __call__(self, images):
        self.asked.append(len(images))
        return self.detector(images)


def test_filtered_detectors_see_every_frame_unless_they_say_otherwise():
    bare = FunctionDetector(None)
    filtered = BoxFilter(bare)
    assert VideoPoseEstimator(filtered, None).detection_interval(25) == 1
    assert not filtered.redetects
    boxes, scores = np.float32([[0, 0, 9, 9], [1, 0, 9, 9]]), np.float32([0.8, 0.6])
    bare.redetect = lambda image, tracked: (boxes, scores)
    # boxes of tracked people are filtered, too
    assert filtered.redetect(None, boxes)[0].tolist() == [[0, 0, 9, 9]]


@pytest.mark.parametrize('dimensions', ['flat', 'lifting'])
def test_track_ids_change_at_a_cut(dimensions, request, tmp_path):
    find = request.getfixturevalue(dimensions)
    images = [gray_image(number) for number in range(10)]
    for number in range(5, 10):
        images[number][:, :32] = (30, 200, 90)
    path = write_video(tmp_path / 'cut.mkv', images, codec='ffv1', pix_fmt='bgr0')
    ids = [
        [person['track_id'] for person in shot['predictions'][0]] for shot in find(path)
    ]
    first, second = ({tuple(own) for own in half} for half in (ids[:5], ids[5:]))
    assert len(first) == len(second) == 1
    assert first != second


def test_progress_is_shown_if_wanted(models, video, monkeypatch, capfd):
    monkeypatch.setattr('sys.stderr.isatty', lambda: True)
    for _ in Inferencer('some.onnx', show_progress=True, device='cpu')(video):
        pass
    assert 'clip: 2D' in capfd.readouterr().err
