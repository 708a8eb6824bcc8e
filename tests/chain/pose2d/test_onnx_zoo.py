"""Published kinds of ONNX models, as small generated files with their real shapes."""

import json
import zipfile
from contextlib import contextmanager

import numpy as np
import onnx
import pytest
from local_servers import served
from mmpose.codecs import UDPHeatmap
from mmpose.datasets.transforms import GetBBoxCenterScale, TopdownAffine
from onnx import TensorProto, helper, numpy_helper

from mmhot.chain.pose2d.estimate import EstimatePoses
from mmhot.chain.pose2d.onnx_detectors import OnnxDetector
from mmhot.chain.pose2d.onnx_models import OnnxPoseEstimator, decode_udp_heatmaps
from mmhot.chain.pose2d.options import Pose2DOptions
from mmhot.chain.pose2d.pose_source import open_pose_source
from mmhot.progress import Report
from mmhot.weights.names import NAMED_FILES, POSE, resolve

BOX = np.float32([[10, 20, 70, 100]])
IMAGE = np.full((120, 90, 3), (10, 20, 30), np.uint8)
NORMALIZE = dict(type='Normalize', mean=[0, 0, 0], std=[10, 10, 10], to_rgb=True)


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    return tmp_path / 'cache'


def write(path, shape, outputs, open_shapes=False, weights=()):
    """Write a model: each output is the sum of an array and the last pixel's multiple.

    The pixel is that of the first plane, at the right and bottom. ``weights`` are names
    of others in the graph.
    """
    nodes = [
        helper.make_node('Slice', ['input', 'low', 'high'], ['corner']),
        helper.make_node('Reshape', ['corner', 'one'], ['pixel']),
    ]
    arrays = {
        'low': np.int64([0, 0, -1, -1]),
        'high': np.int64([1, 1, 1 << 31, 1 << 31]),
        'one': np.int64([1]),
        **dict.fromkeys(weights, np.zeros(1, np.float32)),
    }
    infos = []
    for name, (constant, factor) in outputs.items():
        arrays |= {f'{name}_c': np.float32(constant), f'{name}_f': np.float32(factor)}
        nodes += [
            helper.make_node('Mul', ['pixel', f'{name}_f'], [f'{name}_p']),
            helper.make_node('Add', [f'{name}_p', f'{name}_c'], [name]),
        ]
        sides = np.shape(constant)
        if open_shapes:
            sides = [f'{name}_dim_{axis}' for axis in range(len(sides))]
        infos.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, sides))
    entry = helper.make_tensor_value_info('input', TensorProto.FLOAT, shape)
    tensors = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, 'g', [entry], infos, tensors)
    opset = [helper.make_opsetid('', 17)]
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def pipeline(*transforms, **decoder):
    """What MMDeploy writes, as far as it is read."""
    tasks = [
        {'name': 'Preprocess', 'transforms': [{'type': 'LoadImage'}, *transforms]},
        {'name': 'pose', 'module': 'Net'},
        {'name': 'postprocess', 'params': decoder},
    ]
    return json.dumps({'pipeline': {'input': ['img'], 'tasks': tasks}})


def simcc(count, size, point):
    """SimCC outputs with a peak at a point of the crop, and no part of the image."""
    vectors = {}
    for name, side, position in zip(('simcc_x', 'simcc_y'), size, point, strict=True):
        vectors[name] = np.zeros((1, count, 2 * side)), np.zeros(1)
        vectors[name][0][..., round(2 * position)] = 0.9
    return vectors


# --- archives -------------------------------------------------------------------------

FOLDER = '20230831/rtmpose_onnx/rtmpose-m_simcc-body7_pt-body7_420e-256x192-e48f03d0'


def archive(path, files):
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return path


@pytest.fixture
def sdk(tmp_path):
    """Files of an archive of MMDeploy's SDK."""
    outputs = simcc(17, (192, 256), (96, 128))
    for name, (vector, _) in outputs.items():
        outputs[name] = 0 * vector, vector
    model = write(tmp_path / 'model.onnx', ['batch', 3, 256, 192], outputs)
    steps = dict(type='TopDownGetBboxCenterScale', padding=1.5), NORMALIZE
    size = dict(type='TopDownAffine', image_size=[288, 384])
    return {
        f'{FOLDER}/deploy.json': '{}',
        f'{FOLDER}/detail.json': '{}',
        f'{FOLDER}/end2end.onnx': model.read_bytes(),
        f'{FOLDER}/pipeline.json': pipeline(*steps, size, type='SimCCLabel'),
        '../../escaped.txt': 'out of the folder',
    }


@pytest.fixture
def serve(sdk, monkeypatch, tmp_path):
    """A function that serves both named models, or one, while it runs another."""
    outputs = {'dets': (DETS, np.zeros(1)), 'labels': (LABELS, np.zeros(1))}
    model = write(tmp_path / 'nano.onnx', [1, 3, 320, 320], outputs)
    models = {'rtmpose-m': sdk, 'rtmdet-nano': {'end2end.onnx': model.read_bytes()}}
    files = {
        f'/{name}.zip': archive(tmp_path / f'{name}.zip', content).read_bytes()
        for name, content in models.items()
    }

    def run(action, *names):
        with served(files) as (address, _):
            for name in models:
                url = f'{address}/{name if name in names else "absent"}.zip'
                named = NAMED_FILES[name]._replace(url=url, megabytes=1.5)
                monkeypatch.setitem(NAMED_FILES, name, named)
            return action()

    return run


def open_whole(path):
    options = dict(pose2d=str(path), det_model='whole_image', device='cpu')
    return open_pose_source(Pose2DOptions(**options))


def open_named(lines=None, shown=None, **options):
    """Open models by name; return the names of detector and estimator."""

    @contextmanager
    def bars(title, unit):
        yield lambda *megabytes: shown.append((title, unit, *megabytes))

    report = Report() if lines is None else Report(lines.append, bars)
    step = EstimatePoses(**dict(pose2d='rtmpose-m') | options, report=report)
    models = step.open()
    return models.detector.name, models.estimator.name


def test_named_models_are_downloaded_once(serve, cache):
    lines, shown, names = [], [], ('rtmdet-nano', 'rtmpose-m')
    assert serve(lambda: open_named(lines, shown), *names) == names
    license = 'Apache-2.0, OpenMMLab'
    assert [*map(str, lines)] == [
        f'rtmpose-m: 1.5 MB from 127.0.0.1, once ({license})',
        f'rtmdet-nano: 1.5 MB from 127.0.0.1, once ({license})',
        'boxes: rtmdet-nano, 2D keypoints: rtmpose-m',
    ]
    assert [bar[:2] for bar in shown] == [
        ('downloading rtmpose-m', 'MB'),
        ('downloading rtmdet-nano', 'MB'),
    ]
    assert open_named() == names
    archive = cache / 'mmhot' / 'models' / 'rtmpose-m.zip'
    archive.write_bytes(b'')
    with pytest.raises(ValueError, match='is not a readable archive'):
        open_named()
    archive.unlink()
    with pytest.raises(ValueError, match=r'rtmpose-m\.zip cannot be downloaded \('):
        open_named()


def test_named_models_that_cannot_be_downloaded_are_errors(serve):
    with pytest.raises(ValueError, match=r'absent\.zip cannot be downloaded \('):
        serve(open_named, 'rtmpose-m')
    detector, _ = serve(lambda: open_named(det_model='pose-verified'), 'rtmpose-m')
    assert detector.endswith(', verified by rtmpose-m')
    with pytest.raises(ValueError, match=r'absent\.zip cannot be downloaded'):
        serve(lambda: open_named(det_model='rtmdet-nano'), 'rtmpose-m')
    with pytest.raises(ValueError, match='is neither a file nor a 2D model'):
        open_named(pose2d='rtmdet-nano', det_model='whole_image')
    shipped = serve(
        lambda: open_named(pose2d=None, det_model='rtmdet-nano'), 'rtmdet-nano'
    )
    assert shipped[0] == 'rtmdet-nano'


def test_archives_state_normalization_and_padding(sdk, tmp_path, cache):
    path = archive(tmp_path / 'rtmpose-m.zip', sdk)
    _, estimator = open_whole(str(path))
    assert estimator.name == 'rtmpose-m'
    [(keypoints, scores)] = estimator([IMAGE], [BOX])
    np.testing.assert_allclose(keypoints[0], [[40, 60]] * 17, atol=0.2)
    # 0.9 times 3, red 30 by 10, and no more than 1
    np.testing.assert_allclose(scores, 1)
    assert estimator._padding == 1.5
    folder = cache / 'mmhot'
    unpacked = sorted(file.name for file in folder.rglob('*') if file.is_file())
    assert unpacked == ['end2end.onnx', 'pipeline.json']
    assert not [*tmp_path.rglob('escaped.txt')]
    model = resolve(path, POSE).graph
    written = model.stat().st_mtime_ns
    assert resolve(path, POSE).graph.stat().st_mtime_ns == written
    # a folder with the same files
    _, same = open_whole(str(model.parent))
    (model.parent / 'pipeline.json').write_text(pipeline(dict(NORMALIZE, to_rgb=False)))
    _, other = open_whole(str(model.parent))
    assert other.identity != same.identity


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict.clear, 'must have one .onnx file, got 0'),
        (
            lambda files: files.update({'b.onnx': b''}),
            'must have one .onnx file, got 2',
        ),
    ],
)
def test_other_archives_are_refused(sdk, tmp_path, cache, change, message):
    change(sdk)
    path = archive(tmp_path / 'a.zip', sdk)
    with pytest.raises(ValueError, match=rf'a\.zip: {message}'):
        resolve(path, POSE)
    assert not [each for each in cache.glob('mmhot/**/*') if each.is_file()]


# --- detectors ------------------------------------------------------------------------

DETS = np.float32([[[8, 16, 40, 48, 0], [0, 0, 9, 9, 0], [50, 50, 60, 60, 0]]])
LABELS = np.float32([[0, 0, 7]])


@pytest.mark.parametrize(
    ('name', 'text', 'score'),
    [
        ('yolox_m_8xb8-300e_humanart-c2c7a14a.onnx', None, 114 / 200),
        ('rtmdet_nano.onnx', None, (114 - 103.53) / 57.375 / 200),
        ('yolox/end2end.onnx', None, 114 / 200),
        ('yolox/end2end.onnx', pipeline(NORMALIZE), 11.4 / 200),
        ('other/end2end.onnx', pipeline(dict(type='Pad', size=None)), 114 / 200),
    ],
)
def test_normalization_is_that_of_the_pipeline_or_the_name(tmp_path, name, text, score):
    factor = np.where(np.arange(5) == 4, [[1 / 200]], 0) * [[1.0], [0.1], [1.0]]
    outputs = {'dets': (DETS, factor[None]), 'labels': (LABELS, np.zeros(1))}
    path = write(tmp_path / name, [1, 3, 64, 64], outputs)
    if text:
        path.with_name('pipeline.json').write_text(text)
    detector = OnnxDetector(path, min_score=1e-6)
    boxes, scores = detector([np.zeros((60, 128, 3), np.uint8)])[0]
    np.testing.assert_allclose(boxes[0], [16, 32, 80, 60])
    np.testing.assert_allclose(scores, [score, score / 10], rtol=1e-5)


# --- one-stage models -----------------------------------------------------------------


@pytest.fixture
def rtmo(tmp_path):
    """RTMO with two people, one with a low score, and a padded row, as MMDeploy has."""
    dets = np.float32([[[10, 10, 30, 60, 0.9], [40, 10, 60, 60, 0.2], [0] * 5]])
    points = np.zeros((1, 3, 17, 3), np.float32)
    points[0, 0], points[0, 1] = (20, 30, 0), (50, 30, 0)
    outputs = {
        'dets': (dets, np.zeros(1)),
        'keypoints': (points, np.float32([0, 0, 1 / 228])),
    }
    return write(tmp_path / 'rtmo-s.onnx', ['b', 3, 64, 64], outputs, open_shapes=True)


def test_one_stage_models_run_once_for_boxes_and_poses(rtmo, monkeypatch):
    detector, estimator = open_pose_source(
        Pose2DOptions(pose2d=str(rtmo), device='cpu')
    )
    assert detector.name == estimator.name == 'rtmo-s'
    assert estimator.skeleton == 'coco-17'
    runs = []
    find = OnnxDetector._find
    monkeypatch.setattr(
        OnnxDetector, '_find', lambda *args: runs.append(1) or find(*args)
    )
    images = [np.zeros((96, 128, 3), np.uint8), np.zeros((128, 128, 3), np.uint8)]
    boxes = detector(images)
    np.testing.assert_allclose(boxes[0][0], [[20, 20, 60, 96]])
    np.testing.assert_allclose(boxes[1][0], [[20, 20, 60, 120]])
    np.testing.assert_allclose(boxes[1][1], [0.9])
    # the second box of the first image has nothing, and that of the second a doubtful
    searched = [
        np.float32([[20, 20, 60, 96], [90, 0, 99, 9]]),
        np.float32([[82, 20, 120, 110], [20, 20, 60, 120]]),
    ]
    poses = estimator(images, searched)
    assert len(runs) == 2
    np.testing.assert_allclose(poses[0][0][0], [[40, 60]] * 17)
    np.testing.assert_allclose(poses[0][1][0], 0.5)  # gray 114: not normalized
    assert np.isnan(poses[0][0][1]).all()
    assert not poses[0][1][1].any()
    np.testing.assert_allclose(poses[1][0][:, 0], [[100, 60], [40, 60]])
    assert len(detector([images[1].copy()])[0][0]) == 1
    assert len(runs) == 2
    images[1][:] = 9  # a buffer that is filled again
    detector(images[1:])
    assert len(runs) == 3


# --- models of crops ------------------------------------------------------------------


def heatmaps_of(points, noise=0.0):
    """Heatmaps (K, 64, 48) of points in the crop, as ViTPose was trained with."""
    codec = UDPHeatmap(input_size=(192, 256), heatmap_size=(48, 64), sigma=2)
    maps = codec.encode(points[None].astype(np.float32))['heatmaps']
    random = np.random.default_rng(0)
    return codec, maps + noise * random.random(maps.shape, np.float32)


@pytest.mark.parametrize('noise', [0, 0.1])
def test_udp_heatmaps_are_decoded_as_by_mmpose(noise):
    points = np.random.default_rng(1).uniform((16, 16), (175, 239), (60, 2))
    codec, maps = heatmaps_of(points, noise)
    ours, scores = decode_udp_heatmaps(maps, np.array([192, 256]))
    theirs, confidence = codec.decode(maps)
    # its heads expect a crop of 192 x 256 units, and ours has pixels
    np.testing.assert_allclose(ours, theirs[0] * (191 / 192, 255 / 256), atol=1e-3)
    np.testing.assert_allclose(scores, confidence[0].clip(0, 1))
    if not noise:
        np.testing.assert_allclose(ours, points, atol=0.1)


HUB = 'vitpose/onnx/model.onnx'
SWIN = ('backbone.patch_embed.projection.weight', 'backbone.stages.0.norm.weight')


@pytest.mark.parametrize(
    ('name', 'weights', 'beside', 'is_udp'),
    [
        ('any.onnx', ['backbone.patch_embed.proj.weight'], {}, True),
        (HUB, ['embeddings.patch_embeddings.projection.weight'], {}, True),
        ('hrnet_udp.onnx', [], {}, True),
        ('a/end2end.onnx', [], {'pipeline.json': pipeline(type='UDPHeatmap')}, True),
        ('vitpose.onnx', SWIN, {}, False),
        ('udp.onnx', [], {'pipeline.json': pipeline(type='MSRAHeatmap')}, False),
    ],
)
def test_udp_heatmaps_are_known_by_graph_or_description(
    tmp_path, name, weights, beside, is_udp
):
    points = np.random.default_rng(2).uniform((20, 25), (60, 95), (17, 2))
    results = dict(img=IMAGE, bbox=BOX, keypoints=points[None])
    for step in (GetBBoxCenterScale(), TopdownAffine((192, 256), use_udp=True)):
        results = step.transform(results)
    _, maps = heatmaps_of(results['transformed_keypoints'][0])
    shape, outputs = ['batch', 3, 256, 192], {'heatmaps': (maps[None], np.zeros(1))}
    path = write(tmp_path / name, shape, outputs, open_shapes=True, weights=weights)
    for file, text in beside.items():
        path.with_name(file).write_text(text)
    model = OnnxPoseEstimator(path)
    assert model.name == {HUB: 'vitpose', 'a/end2end.onnx': 'a'}.get(name, path.stem)
    [(keypoints, _)] = model([IMAGE], [BOX])
    error = abs(keypoints[0] - points).max()
    # decoded otherwise, the same heatmaps are off by pixels
    assert error < 0.05 if is_udp else error > 0.3


def test_the_pipeline_states_the_size_of_open_inputs(tmp_path):
    outputs = simcc(17, (192, 256), (96, 128))
    path = write(tmp_path / 'end2end.onnx', ['b', 3, 'h', 'w'], outputs)
    with pytest.raises(ValueError, match='is not a supported pose model'):
        OnnxPoseEstimator(path)
    text = pipeline(
        dict(type='TopDownAffine', image_size=[9, 9]), input_size=[192, 256]
    )
    path.with_name('pipeline.json').write_text(text)
    [(keypoints, _)] = OnnxPoseEstimator(path)([IMAGE], [BOX])
    np.testing.assert_allclose(keypoints[0], [[40, 60]] * 17, atol=0.2)
