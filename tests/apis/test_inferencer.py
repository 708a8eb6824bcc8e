"""``Inferencer`` has the interface of MMPose's, lifts whole clips and draws images."""

import inspect
import json

import cv2
import numpy as np
import pytest
from mmpose.apis import MMPoseInferencer
from pose_sources import BOX, Detector, Estimator, FunctionDetector, use_stand_ins
from steps import lift_video, plan_of
from tiny_pose_model import BLUE, POSE, RED, red_finder, spotted, write
from video_files import gray_image

from mmhot.apis import Inferencer
from mmhot.chain.frames.files import VideoFile
from mmhot.chain.lifting.lifter import Lifter
from mmhot.chain.pipelines import VIDEO
from mmhot.chain.pose2d import interfaces
from mmhot.chain.pose2d import pose_source as choose
from mmhot.chain.pose2d.estimation import VideoPoseEstimator
from mmhot.io.images import read_image


@pytest.fixture
def models(monkeypatch):
    """Stand-ins for the 2D models, with one person in every image."""
    pair = Detector(every=1), Estimator()
    use_stand_ins(monkeypatch, *pair)
    return pair


@pytest.fixture
def lifting(models, checkpoint):
    return Inferencer('some.onnx', pose3d_weights=checkpoint, device='cpu')


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
    for ours, theirs, own in (
        (Inferencer, MMPoseInferencer, [('without', ())]),
        (Inferencer.__call__, MMPoseInferencer.__call__, []),
    ):
        ours, theirs = (
            {name: x.default for name, x in inspect.signature(f).parameters.items()}
            for f in (ours, theirs)
        )
        assert list(ours.items()) == [*theirs.items(), *own]
    for kind in ('preprocess', 'forward', 'visualize', 'postprocess'):
        kind += '_kwargs'
        assert getattr(Inferencer, kind) <= getattr(MMPoseInferencer, kind)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'pose2d': 'a'}, 'pose3d must name a lifter; .* use MMPoseInferencer'),
        ({'pose3d': 'a', 'det_cat_ids': [0, 2]}, 'det_cat_ids must be 0'),
        ({'pose3d': 'nanohtnett'}, 'nanohtnett'),
    ],
)
def test_wrong_models_are_refused(models, options, message):
    with pytest.raises(ValueError, match=message):
        Inferencer(**options)


@pytest.mark.parametrize(
    ('given', 'options', 'message'),
    [
        ('none.mp4', {}, 'none.mp4 does not exist'),
        ('webcam:0', {}, 'webcam:0 has no end: use mmhot stream'),
        (np.zeros((4, 4)), {}, r'uint8 \(H, W, 3\), got float64 \(4, 4\)'),
        (gray_image(), {'draw_boxes': True}, "unknown argument {'draw_boxes'}"),
        (gray_image(), {'batch_size': 0}, 'batch_size must be at least 1'),
    ],
)
def test_wrong_inputs_and_arguments_are_refused(lifting, given, options, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        next(lifting(given, **options))


def test_lifted_videos_are_those_of_the_whole_clip(lifting, models, video, checkpoint):
    results = lifting(video, disable_rebase_keypoint=True, disable_norm_pose_2d=True)
    found = [people(result)[0] for result in results]
    lifter = Lifter(None, checkpoint)
    chain = plan_of(VIDEO, lifter, VideoPoseEstimator(*models), camera='moving')
    clip = lift_video(chain, VideoFile(video))
    assert len(found) == len(clip.frame) == 10
    for row, person in enumerate(found):
        assert person['track_id'] == 0
        # as MMPose's Pose3DInferencer.forward does it
        expected = clip.keypoints_3d[row][:, [0, 2, 1]] * [-1, 1, -1]
        np.testing.assert_array_equal(np.float32(person['keypoints']), expected)
        expected = clip.root_3d[row][[0, 2, 1]] * [-1, 1, -1]
        np.testing.assert_array_equal(np.float32(person['root']), expected)
        np.testing.assert_array_equal(
            np.float32(person['keypoints_2d']), clip.keypoints_2d[row]
        )
        np.testing.assert_allclose(person['bbox'], BOX + [row, 0, row, 0])
    assert np.ptp(clip.keypoints_3d, 0).max() > 0
    for result, person in zip(lifting(video), found, strict=True):
        heights = np.array(person['keypoints'])[:, 2]
        rebased = np.array(people(result)[0]['keypoints'])[:, 2]
        np.testing.assert_allclose(rebased, heights - heights.min(), atol=1e-6)


def test_people_are_lifted_in_frames_without_detection(lifting, models, video):
    models[0].every = 4  # frames 3 and 7 have no detection
    found = [people(result)[0] for result in lifting(video)]
    assert [row for row, person in enumerate(found) if 'bbox' not in person] == [3, 7]
    assert not np.any(found[3]['keypoint_scores'])
    assert np.isfinite(found[3]['keypoints']).all()


def test_images_are_separate(lifting, images_folder, tmp_path):
    out = tmp_path / 'out'
    results = list(lifting(images_folder, out_dir=str(out), batch_size=2))
    np.testing.assert_allclose(
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
    buffer = gray_image()

    def refill():
        for number in (4, 2):
            buffer[:] = gray_image(number)
            yield buffer

    for mixed in ([gray_image(4), images_folder / 'shot2.png'], refill()):
        expected = [BOX[0] + [4, 0] * 2, BOX[0] + [2, 0] * 2]
        np.testing.assert_allclose(boxes(lifting(mixed)), expected)
    with pytest.raises(ValueError, match='would be overwritten'):
        list(lifting(images_folder, vis_out_dir=images_folder))


def test_datasamples_hold_arrays(lifting, video):
    sample = next(lifting(video, return_datasamples=True))['predictions'][0]
    assert sample.pred_instances.keypoints.shape == (1, 17, 3)
    assert sample.pred_instances.keypoint_scores.shape == (1, 17)
    assert sample.metainfo['ori_shape'] == (48, 64)
    np.testing.assert_allclose(sample.pred_instances.bboxes, BOX)
    np.testing.assert_array_equal(sample.pred_instances.track_ids, [0])


def test_images_without_people_give_empty_lists(lifting, models, video):
    models[0].every = 0
    results = list(lifting(video, return_vis=True))
    assert [people(result) for result in results] == [[]] * 10
    assert results[0]['visualization'][0].shape[0] == 48


def test_only_low_confidence_leaves_images_out(
    lifting, models, images_folder, monkeypatch
):
    def with_zero_scores(self, images, boxes):
        return [(points, 0 * scores) for points, scores in find(self, images, boxes)]

    def fail(*args):
        raise ValueError('a fault of the lifter')

    find = Estimator.__call__
    monkeypatch.setattr(Estimator, '__call__', with_zero_scores)
    assert [people(result) for result in lifting(images_folder)] == [[], []]
    monkeypatch.setattr(Estimator, '__call__', find)
    monkeypatch.setattr(Lifter, 'prepare', fail)
    with pytest.raises(ValueError, match='a fault of the lifter'):
        next(lifting(images_folder))


def test_drawings_are_rgb_and_keep_colors(lifting):
    image = np.full((48, 64, 3), (200, 30, 10), np.uint8)  # blue, in OpenCV's order
    (result,) = lifting(image, return_vis=True)
    (drawn,) = result['visualization']
    assert drawn.shape == (48, 64 + 48, 3)
    np.testing.assert_array_equal(drawn[0, 0], [10, 30, 200])
    assert (drawn[:, :64] != drawn[0, 0]).any()
    (result,) = lifting(image, return_vis=True, black_background=True)
    assert not result['visualization'][0][:5, :64].any()


def test_files_of_a_video_hold_all_frames(lifting, video, tmp_path):
    results = list(lifting(video, out_dir=str(tmp_path)))
    assert results[0]['visualization'] == []
    document = json.loads((tmp_path / 'predictions/clip.json').read_text())
    assert [entry['frame_id'] for entry in document] == list(range(10))
    expected = json.loads(json.dumps([people(result) for result in results]))
    assert [entry['instances'] for entry in document] == expected
    written = VideoFile(tmp_path / 'visualizations/clip.mp4')
    assert [frame.image.shape for frame in written] == [(48, 112, 3)] * 10
    assert written.fps == 25


def test_detectors_run_at_their_interval(lifting, video):
    class Seldom(FunctionDetector):
        """A detector with an interval of four frames at 25 frames per second."""

        interval = 0.16

        def __call__(self, images):
            asked.append(len(images))
            return super().__call__(images)

    asked = []
    lifting.detector = Seldom(lifting.detector)
    assert len(list(lifting(video, batch_size=3))) == 10
    assert sum(asked) == 3


PLACE = [12, 10, 72, 80]
SPOT = 40, 30


class BoxDetector(interfaces.Detector):
    """Detects one fixed box."""

    name = 'fake'
    identity = {}

    def __call__(self, images):
        return [(np.float32([PLACE]), np.float32([0.7])) for _ in images]


@pytest.fixture
def run(tmp_path, monkeypatch, checkpoint):
    """Draw and write the keypoints of a model that detects red spots."""
    opened = []

    def open_detector(options, min_score, estimator):
        name = options.det_model
        opened.append((name, options.det_weights, options.device, min_score))
        is_whole = name == 'whole_image'
        return choose.WholeImage() if is_whole else BoxDetector()

    monkeypatch.setattr(choose, 'DETECTORS', {})
    monkeypatch.setattr(choose, '_open_detector', open_detector)
    config, weights = write(tmp_path, POSE, red_finder())
    out = tmp_path / 'out'

    def draw(path, det_model='whole_image', **options):
        lifter = dict(pose3d_weights=checkpoint, det_model=det_model)
        model = Inferencer(str(config), str(weights), device='cpu', **lifter)
        list(model(str(path), vis_out_dir=out, pred_out_dir=out, **options))
        return out, opened

    return draw


@pytest.mark.parametrize(('options', 'num_people'), [({}, 2), ({'nms_thr': 0.3}, 1)])
def test_overlapping_boxes_are_suppressed_above_nms_thr_only(
    run, tmp_path, monkeypatch, options, num_people
):
    def find_two(self, images):
        return [(np.float32([PLACE, PLACE]), np.float32([0.7, 0.6])) for _ in images]

    monkeypatch.setattr(BoxDetector, '__call__', find_two)
    monkeypatch.setattr(BoxDetector, 'nms_thr', 1.0)
    image = tmp_path / 'one.png'
    cv2.imwrite(str(image), spotted((*SPOT, RED)))
    out, _ = run(image, 'x', **options)
    (predictions,) = out.rglob('*.json')
    assert len(json.loads(predictions.read_text())) == num_people


@pytest.mark.parametrize('portrait', [False, True])
def test_keypoints_and_colors_are_right_in_any_aspect_ratio(run, tmp_path, portrait):
    image = spotted((*SPOT, RED), (60, 50, BLUE))
    image = cv2.copyMakeBorder(image, 0, 60 if portrait else 0, 0, 0, 0)
    image[:8] = 90, 60, 30  # not gray, so that swapped colors show
    cv2.imwrite(str(tmp_path / 'a.png'), image)
    out, opened = run(tmp_path / 'a.png', 'some.onnx', draw_bbox=True)
    assert opened == [('some.onnx', None, 'cpu', 0.0)]
    (person,) = json.loads((out / 'a.json').read_text())
    np.testing.assert_allclose(person['bbox'], [PLACE])
    np.testing.assert_allclose(person['keypoints_2d'], [SPOT] * 17, atol=4)
    drawn = read_image(out / 'a.png')[:, : image.shape[1]]
    np.testing.assert_allclose(drawn[:8], image[:8])
    assert (drawn[48:53, 58:63] == BLUE).all()
    changed = np.flatnonzero((drawn != image).any((0, 2)))
    assert (changed[0], changed[-1]) == (PLACE[0], PLACE[2])
    changed = np.flatnonzero((drawn != image).any((1, 2)))
    assert (changed[0], changed[-1]) == (PLACE[1], PLACE[3])
