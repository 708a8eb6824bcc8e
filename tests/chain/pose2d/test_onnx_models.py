"""ONNX detectors and pose models, with a stand-in for ONNX Runtime."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from video_files import gray_image

from mmhot.chain.pose2d import onnx_formats
from mmhot.chain.pose2d.onnx_detectors import OnnxDetector
from mmhot.chain.pose2d.onnx_models import OnnxPoseEstimator
from mmhot.geometry.crops import crop_matrix, map_points, unmap_points

BOX = np.array([[10.0, 5.0, 40.0, 45.0]], np.float32)


class Session:
    """What ONNX Runtime gives for a file."""

    def __init__(self, shape, outputs, answer, kind='tensor(float)'):
        self.entry = SimpleNamespace(name='in', shape=shape, type=kind)
        self.outputs = outputs
        self.answer = answer
        self.metadata = {}
        self.provider = 'CPUExecutionProvider'
        self.batches = []

    def get_inputs(self):
        return [self.entry]

    def get_outputs(self):
        return [SimpleNamespace(name=n, shape=s) for n, s in self.outputs.items()]

    def get_providers(self):
        return [self.provider]

    def get_modelmeta(self):
        return SimpleNamespace(custom_metadata_map=self.metadata)

    def run(self, names, inputs, options):
        self.batches.append(inputs['in'])
        return self.answer(inputs['in'])


@pytest.fixture
def use(monkeypatch, work_folder):
    (work_folder / 'a.onnx').write_bytes(b'graph')

    def replace(session):
        monkeypatch.setattr(onnx_formats, 'open_session', lambda *_, **__: session)
        return session

    return replace


DETECTIONS = {'dets': ['b', 'n', 5], 'labels': ['b', 'n']}


def point_in_crop(point, size, padding=1.25):
    """Map a point of the image into the crop of :data:`BOX`."""
    return map_points(crop_matrix(BOX[0], size, padding), np.array(point))


def movenet(crops):
    # boxes are not enlarged: neighbors in square crops confuse the model
    x, y = point_in_crop((20.0, 30.0), (256, 256), padding=1.0) / 256
    return [np.tile(np.float32([y, x, 0.7]), (1, 1, 17, 1))]


def simcc(crops):
    x, y = point_in_crop((20.0, 30.0), (192, 256))
    vectors = [np.zeros((len(crops), 17, bins), np.float32) for bins in (384, 512)]
    vectors[0][:, :, round(2 * x)] = 0.8
    vectors[1][:, :, round(2 * y)] = 0.6
    return vectors


def heatmaps(crops):
    x, y = point_in_crop((20.0, 30.0), (192, 256)) / 4
    maps = np.zeros((len(crops), 133, 64, 48), np.float32)
    maps[:, :, int(y), int(x)] = 0.9
    return [maps]


PLANES = ['b', 3, 256, 192]
KINDS = {
    'MoveNet': ([1, 256, 256, 3], {'o': [1, 1, 17, 3]}, movenet, 0.7, 0.01),
    'SimCC': (PLANES, {'x': ['b', 17, 384], 'y': ['b', 17, 512]}, simcc, 0.6, 0.1),
    'MoveNet of planes': ([1, 3, 256, 256], {'o': [1, 1, 17, 3]}, movenet, 0.7, 0.01),
    'heatmaps': (PLANES, {'o': ['b', 133, 64, 48]}, heatmaps, 0.9, 0.9),
}


@pytest.mark.parametrize('kind', KINDS)
def test_keypoints_are_in_pixels_of_the_image(use, kind):
    shape, outputs, answer, score, tolerance = KINDS[kind]
    is_single = 'MoveNet' in kind
    name = 'tensor(int32)' if is_single else 'tensor(float)'
    session = use(Session(shape, outputs, answer, name))
    session.provider = 'CUDAExecutionProvider'  # runs batches
    model = OnnxPoseEstimator('a.onnx')
    boxes = [BOX, np.zeros((0, 4), np.float32), np.concatenate([BOX, BOX])]
    poses = model([gray_image()] * 3, boxes)
    assert [len(keypoints) for keypoints, _ in poses] == [1, 0, 2]
    for keypoints, scores in poses:
        expected = np.tile([20.0, 30.0], (*keypoints.shape[:2], 1))
        np.testing.assert_allclose(keypoints, expected, atol=tolerance)
        np.testing.assert_allclose(scores, score, rtol=1e-6)
    lengths = [len(batch) for batch in session.batches]
    assert lengths == ([1, 1, 1] if is_single else [3])
    expected = [x if isinstance(x, int) else len(session.batches[0]) for x in shape]
    assert session.batches[0].shape == (*expected,)


@pytest.mark.parametrize(
    ('count', 'given', 'metadata', 'skeleton', 'warns'),
    [
        (17, None, {}, 'coco-17', True),
        (17, 'h36m-17', {}, 'h36m-17', False),
        (17, None, {'skeleton': 'h36m-17'}, 'h36m-17', False),
        (26, None, {}, 'halpe-26', True),
    ],
)
def test_skeleton_is_that_of_the_file_or_argument(
    use, caplog, count, given, metadata, skeleton, warns
):
    session = use(Session([1, 3, 64, 64], {'o': [1, count, 8, 8]}, None))
    session.metadata = metadata
    model = OnnxPoseEstimator('a.onnx', skeleton=given)
    assert (model.skeleton, model.identity['skeleton']) == (skeleton, skeleton)
    assert (f'assuming {skeleton}' in caplog.text) == warns


@pytest.mark.parametrize(
    ('shape', 'message'),
    [
        ([1, 17], 'is not a supported pose model'),
        ([1, 5, 8, 8], 'people have 5 keypoints'),
    ],
)
def test_other_models_are_refused(use, shape, message):
    use(Session([1, 3, 64, 64], {'o': shape}, None))
    with pytest.raises(ValueError, match=message):
        OnnxPoseEstimator('a.onnx')
    with pytest.raises(ValueError, match='its outputs are .*, not dets'):
        OnnxDetector('a.onnx')


def test_exported_detectors_state_their_size(use):
    answer = lambda _: [np.float32([[[0, 0, 512, 144, 0.9]]]), np.array([[0]])]  # noqa: E731
    meta = {'resize': {'longer_side': 512, 'interpolation': 'area'}}
    for shape in (['b', 3, 'h', 'w'], ['b', 'h', 'w', 3]):
        session = use(Session(shape, DETECTIONS, answer))
        session.metadata = {'meta.json': json.dumps(meta)}
        boxes, _ = OnnxDetector('a.onnx')([gray_image(size=(1024, 560))])[0]
        # scaled to 512 x 280 and padded to a multiple of 32
        sides = (288, 512)
        batch = (1, 3, *sides) if shape[1] == 3 else (1, *sides, 3)
        assert session.batches[0].shape == batch
        np.testing.assert_allclose(boxes, [[0, 0, 1024, 288]])
    use(Session(['b', 17, 2], DETECTIONS, answer))
    with pytest.raises(
        ValueError, match=r"shape \['b', 17, 2\]: images \(B, 3, H, W\)"
    ):
        OnnxDetector('a.onnx')


@pytest.mark.parametrize(
    ('boxes', 'labels'), [((3, 5), (3,)), ((1, 3, 5), (1, 2)), ((1, 3, 4), (1, 3))]
)
def test_detections_of_other_shapes_are_one_line(use, boxes, labels):
    found = [np.zeros(boxes), np.zeros(labels)]
    use(Session([1, 3, 64, 64], DETECTIONS, lambda _: found))
    with pytest.raises(ValueError, match='a.onnx: has an unexpected structure'):
        OnnxDetector('a.onnx')([gray_image()])


@pytest.mark.parametrize('kind', ['float16', 'double'])
def test_inputs_have_the_type_of_the_graph(use, kind):
    answer = lambda batch: [np.ones((1, 17, 8, 8), batch.dtype)]  # noqa: E731
    name, outputs = f'tensor({kind})', {'o': [1, 17, 8, 8]}
    session = use(Session([1, 3, 64, 64], outputs, answer, name))
    _, scores = OnnxPoseEstimator('a.onnx')([gray_image()], [BOX])[0]
    assert session.batches[0].dtype == kind
    assert scores.dtype == np.float32


@pytest.mark.parametrize('smoothing', [0, 4.0])
def test_exported_models_state_padding_smoothing_and_score_curve(use, smoothing):
    x, y = (np.zeros((1, 17, 2 * side), np.float32) for side in (192, 256))
    x[..., 100], x[..., 101], y[..., 120] = 0.5, 0.4999, 0.25
    outputs = {'simcc_x': ['b', 17, 384], 'simcc_y': ['b', 17, 512]}
    session = use(Session(['b', 3, 256, 192], outputs, lambda _: [x, y]))
    meta = {
        'skeleton': 'coco-17',
        'crop': {'padding': 1.1},
        'codec': {'smoothing': smoothing},
        'score_curve': [[0, 0.25, 1], [0, 0.8, 1]],
    }
    session.metadata = {'meta.json': json.dumps(meta)}
    model = OnnxPoseEstimator('a.onnx')
    assert model.has_score_curve
    keypoints, scores = model([gray_image(size=(64, 64))], [BOX])[0]
    matrix = crop_matrix(BOX[0], (192, 256), 1.1)
    peak = np.array([50.25 if smoothing else 50, 60])
    np.testing.assert_allclose(keypoints[0, 0], unmap_points(matrix, peak), rtol=1e-4)
    np.testing.assert_allclose(scores, 0.8)
