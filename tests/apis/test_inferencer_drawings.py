"""``Inferencer``: colors, boxes and keypoints in images of any shape, and in files."""

import json

import cv2
import numpy as np
import pytest
from tiny_pose_model import BLUE, POSE, RED, red_finder, spotted, write

from mmhot.apis import Inferencer
from mmhot.io.images import read_image
from mmhot.pose2d import pose_source as choose
from mmhot.pose2d.interfaces import Detector

BOX = [12, 10, 72, 80]
SPOT = 40, 30


class BoxDetector(Detector):
    """Detects one fixed box."""

    name = 'fake'
    identity = {}

    def __call__(self, images):
        return [(np.float32([BOX]), np.float32([0.7])) for _ in images]


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
        return [(np.float32([BOX, BOX]), np.float32([0.7, 0.6])) for _ in images]

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
    np.testing.assert_allclose(person['bbox'], [BOX])
    np.testing.assert_allclose(person['keypoints_2d'], [SPOT] * 17, atol=4)
    drawn = read_image(out / 'a.png')[:, : image.shape[1]]
    np.testing.assert_allclose(drawn[:8], image[:8])
    assert (drawn[48:53, 58:63] == BLUE).all()
    changed = np.flatnonzero((drawn != image).any((0, 2)))
    assert (changed[0], changed[-1]) == (BOX[0], BOX[2])
    changed = np.flatnonzero((drawn != image).any((1, 2)))
    assert (changed[0], changed[-1]) == (BOX[1], BOX[3])
