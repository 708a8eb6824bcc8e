"""``mmhot ui --browser``: the page estimates what the Python chain does."""

import json
import shutil
import subprocess
import threading
import time
from contextlib import contextmanager
from urllib.request import urlopen

import numpy as np
import onnx
import pytest
import torch
from browser import open_tab
from video_files import write_video

import mmhot.ui.browser_page as page
from mmhot.cli.dispatch import main
from mmhot.lifting.lifter import Lifter
from mmhot.skeletons.joints import convert_keypoints, linear_recipes
from mmhot.structures.crops import find_peaks
from mmhot.structures.lens import ideal_camera
from mmhot.video.inputs import open_inputs
from mmhot.video.live import LiveLifter
from mmhot.video.live_tracks import LiveTrack, resample_segment
from mmhot.video.pose_estimation import VideoPoseEstimator
from mmhot.video.sources.onnx_detectors import OnnxDetector
from mmhot.video.sources.onnx_models import OnnxPoseEstimator
from mmhot.weights.index import LIVE_LIFTER

DEMO = 'demo/walk.mp4'
FPS, SIZE = 25, (1280, 720)
# Browsers convert colors and scale images a bit differently, and miss frames here,
# whose keypoints are then interpolated. Measured: 1.3 pixels and 4.6 mm.
PIXELS, MILLIMETERS = 2.5, 10
# The same keypoints; times in the lines are rounded to 0.1 ms.
SAME_MILLIMETERS = 3
_LINES = '[mmhot.run().lines.header, ...mmhot.run().lines.frames]'


def write_models(folder):
    """Folders of exported models, with graphs that do nothing."""
    value = onnx.helper.make_tensor_value_info('x', onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node('Identity', ['x'], ['y'])
    output = onnx.helper.make_tensor_value_info('y', onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([node], 'graph', [value], [output])
    opsets = [onnx.helper.make_opsetid('', 18)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10)
    metas = {
        'detector': {},
        'pose2d': {'skeleton': 'coco-17', 'outputs': {'simcc_x': '', 'simcc_y': ''}},
        'lifter': {'lifting': {'mapping': 'trained'}, 'codec': {}},
    }
    for kind, meta in metas.items():
        (folder / kind).mkdir(parents=True)
        content = {'meta.json': json.dumps({'kind': kind, **meta})}
        onnx.helper.set_model_props(model, content)
        onnx.save(model, folder / kind / 'model.onnx')
    return {kind: str(folder / kind) for kind in metas}


@pytest.fixture
def ort(tmp_path, monkeypatch):
    """Stand-ins for the files of ONNX Runtime Web, with their checksums."""
    empty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    monkeypatch.setattr(page, '_ORT_FILES', dict.fromkeys(page._ORT_FILES, empty))
    folder = tmp_path / 'dist'
    folder.mkdir()
    for name in page._ORT_FILES:
        (folder / name).touch()
    return folder


def test_folder_has_all_files(tmp_path, ort, capsys):
    models, out = write_models(tmp_path / 'models'), tmp_path / 'out'
    options = ['--det-model', models['detector'], '--pose2d', models['pose2d']]
    options += ['--pose3d', models['lifter'], '--out', str(out), '--ort', str(ort)]
    for _ in range(2):  # a page may be written again
        assert main(['ui', '--browser', *options]) == 0
    found = {str(path.relative_to(out)) for path in out.rglob('*') if path.is_file()}
    own = {path.name for path in (page.files('mmhot.ui') / 'browser').iterdir()}
    assert {'index.html', 'main.js', 'page.css'} < own
    assert {name for name in found if '/' not in name} == own | {
        'bundle.js',
        'page.json',
    }
    assert {name for name in found if name.startswith('ort/')} == {
        f'ort/{name}' for name in page._ORT_FILES
    }
    for name in ('model.onnx', 'meta.json'):
        assert (out / 'models/lifter' / name).stat().st_size > 50
    standing = np.array(json.loads((out / 'page.json').read_text())['standing'])
    torso = standing[8] - standing[0]  # upwards, its length is the unit
    np.testing.assert_allclose(torso, [0, -1], atol=1e-6)
    assert f'{out}: copy it' in capsys.readouterr().out


def test_bad_inputs_are_named(tmp_path, ort):
    models = write_models(tmp_path / 'models')
    swapped = models | {'lifter': models['pose2d']}
    with pytest.raises(ValueError, match='pose2d is a pose2d, not a lifter'):
        page.write_page(tmp_path / 'out', swapped, ort)
    with pytest.raises(ValueError, match='nothing is neither a lifter with shipped'):
        page.write_page(tmp_path / 'out', models | {'lifter': 'nothing'}, ort)
    with pytest.raises(FileNotFoundError, match=r'ort\.wasm\.min\.mjs does not exist'):
        page.write_page(tmp_path / 'out', models, tmp_path)
    (ort / 'ort.wasm.min.mjs').write_text('changed')
    with pytest.raises(ValueError, match='it was changed, or is another file'):
        page.write_page(tmp_path / 'out', models, ort)
    assert not (tmp_path / 'out').exists()
    with pytest.raises(ValueError, match='out must be a new or empty folder'):
        page.write_page(tmp_path, models, ort)


def test_out_needs_the_browser_page(capsys):
    assert main(['ui', '--out', 'somewhere']) == 2
    assert 'belong to' in capsys.readouterr().err


def test_runtime_is_that_of_the_npm_package():
    package = page.files('mmhot.visualization') / 'viewer' / 'package.json'
    versions = json.loads(package.read_text())['devDependencies']
    assert versions['onnxruntime-web'] == page.ORT_VERSION


def test_server_isolates_pages(tmp_path):
    (tmp_path / 'a.wasm').write_bytes(b'\0asm')
    (tmp_path / 'a.mjs').write_text('export {}')
    with serve(tmp_path) as address:
        for name, kind in (
            ('a.wasm', 'application/wasm'),
            ('a.mjs', 'text/javascript'),
        ):
            answer = urlopen(address + name)
            assert answer.headers['Content-Type'] == kind
            assert page.HEADERS.items() <= dict(answer.headers).items()


def test_recipes_convert_as_python_does():
    keypoints = np.random.default_rng(0).normal(size=(17, 2))
    wanted, *_ = convert_keypoints(keypoints, None, 'coco-17', 'h36m-17', 'trained')
    for recipe, joint in zip(
        linear_recipes('coco-17', 'h36m-17', 'trained'), wanted, strict=True
    ):
        found = sum(np.multiply(keypoints[index], by) for index, *by in recipe)
        np.testing.assert_allclose(found, joint)
    assert linear_recipes('h36m-17', 'coco-17')[3] == []  # no ears


@contextmanager
def serve(folder):
    """Serve a folder in a thread; yields the address."""
    server = page.open_server(folder, '127.0.0.1', range(8800, 8900))
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_address[1]}/'
        server.shutdown()


@pytest.fixture(scope='module')
def folder(tmp_path_factory, node_package):
    """The page with the shipped models."""
    folder = tmp_path_factory.mktemp('page')
    dist = node_package / 'node_modules/onnxruntime-web/dist'
    page.write_page(folder, ort=dist)
    return folder


@pytest.fixture(scope='module')
def python_poses(folder):
    """Poses of the Python chain by frame, with the same models."""
    models = folder / 'models'
    estimator = VideoPoseEstimator(
        OnnxDetector(models / 'detector/model.onnx'),
        OnnxPoseEstimator(models / 'pose2d/model.onnx'),
    )
    live = LiveLifter(estimator, Lifter(LIVE_LIFTER, device='cpu'), FPS, lookahead=20)
    (source,) = open_inputs([DEMO])
    return {each.frame.index: each.people[0] for each in live(source) if each.people}


@pytest.mark.slow(reason='needs npm, playwright and Chromium')
def test_page_estimates_what_python_does(folder, python_poses):
    with serve(folder) as address, open_tab(1280) as (tab, problems):
        outside = []
        tab.on('request', lambda request: outside.append(request.url))
        tab.goto(address)
        assert tab.evaluate('self.crossOriginIsolated')  # threads are allowed
        tab.select_option('#backend', 'wasm')
        tab.set_input_files('#file', DEMO)
        status = tab.locator('#status')
        status.filter(has_text='done').wait_for(timeout=400_000)
        assert 'frames/s (WebAssembly' in tab.locator('#speed').inner_text()
        _, *frames = tab.evaluate(_LINES)
        with tab.expect_download() as download:
            tab.locator('#save').click()
        lines = download.value.path().read_text(encoding='utf-8').splitlines()
    assert problems == []
    assert [url for url in outside if not url.startswith((address, 'blob:'))] == []
    assert len(lines) == 1 + len(frames)
    assert len(frames) >= 60  # of 136, the others may be missed on a slow machine

    people = [frame['instances'][0] for frame in frames]
    assert {person['track_id'] for person in people} == {1}
    times = np.array([frame['time'] for frame in frames])
    pairs = [
        (person, python_poses[number])
        for person, number in zip(
            people, (times * FPS).round().astype(int), strict=True
        )
        if number in python_poses
    ]
    assert len(pairs) >= 0.95 * len(frames)
    assert mean_distance(pairs, 'keypoints_2d') < PIXELS
    assert 1000 * mean_distance(pairs, 'keypoints_3d') < MILLIMETERS
    assert mean_distance(pairs, 'root_3d') < 0.1
    wanted = lift_in_python(times, people)
    found = np.array([person['keypoints_3d'] for person in people])
    assert 1000 * np.linalg.norm(found - wanted, axis=-1).max() < SAME_MILLIMETERS


def mean_distance(pairs, name):
    """Mean distance of the page's from Python's joints."""
    own, other = zip(*pairs, strict=True)
    own = np.array([person[name] for person in own])
    return np.linalg.norm(
        own - np.stack([getattr(person, name) for person in other]).reshape(own.shape),
        axis=-1,
    ).mean()


def lift_in_python(times, people):
    """Lift the page's own keypoints."""
    lifter, track = Lifter(LIVE_LIFTER, device='cpu'), LiveTrack(1.0, False, False)
    for seconds, person in zip(times, people, strict=True):
        scores = np.array(person['scores'], np.float32)
        keypoints = np.array(person['keypoints_2d'], np.float32)
        keypoints[scores == 0] = np.nan
        track.add(seconds, keypoints, scores)
    offsets = (np.arange(lifter.seq_len) - lifter.seq_len // 2) / lifter.fps
    windows = np.stack(
        [resample_segment(track.segment_at(at), at + offsets) for at in times]
    )
    with torch.inference_mode():
        poses = lifter.predict(windows[..., :2], ideal_camera(*SIZE))
    return poses[:, lifter.num_targets // 2]


@pytest.mark.slow(reason='needs npm, playwright and Chromium')
def test_page_reads_a_camera(folder, python_poses, tmp_path):
    (source,) = open_inputs([DEMO])
    images = [frame.image for frame in source]
    video = write_video(tmp_path / 'a.mjpeg', images, codec='mjpeg', pix_fmt='yuvj420p')
    fake = [f'--use-fake-{kind}-for-media-stream' for kind in ('ui', 'device')]
    fake.append(f'--use-file-for-fake-video-capture={video}')
    with serve(folder) as address, open_tab(1280, *fake) as (tab, problems):
        tab.goto(address)
        tab.select_option('#backend', 'wasm')
        tab.locator('#camera').click()
        # the page's policy refuses functions of strings
        deadline = time.monotonic() + 200
        while not tab.evaluate('mmhot.run()?.lines?.count > 12'):
            assert time.monotonic() < deadline, tab.locator('#status').inner_text()
            tab.wait_for_timeout(500)
        tab.locator('#stop').click()
        tab.locator('#status').filter(has_text='done').wait_for()
        _, *frames = tab.evaluate(_LINES)
    assert problems == []
    # the camera repeats the video: the nearest frame is unknown
    known = np.stack([person.keypoints_2d for person in python_poses.values()])
    distances = [
        np.linalg.norm(known - person['keypoints_2d'], axis=-1).mean(-1).min()
        for frame in frames
        for person in frame['instances']
    ]
    assert len(distances) > 8
    assert np.median(distances) < PIXELS


@pytest.mark.parametrize('smoothing', [0, 2.5, 4.0])
def test_peaks_are_those_of_python(smoothing, tmp_path):
    node = shutil.which('node') or pytest.skip('Node.js is not installed')
    vectors = np.random.default_rng(0).uniform(0, 1, (40, 30)).astype(np.float32)
    vectors[-2:] = np.arange(30), np.arange(30)[::-1]  # highest at the borders
    shutil.copy(page.files('mmhot.ui') / 'browser' / 'codecs.js', tmp_path)
    (tmp_path / 'package.json').write_text('{"type": "module"}')
    (tmp_path / 'vectors.json').write_text(json.dumps(vectors.ravel().tolist()))
    script = f"""
import {{ readFileSync }} from 'fs';
import {{ findPeak }} from './codecs.js';
const data = Float32Array.from(JSON.parse(readFileSync('vectors.json')));
const find = (_, row) => findPeak({{ data, dims: [40, 30] }}, row, {smoothing});
const peaks = Array.from({{ length: 40 }}, find);
console.log(JSON.stringify(peaks.map(({{ position, value }}) => [position, value])));
"""
    (tmp_path / 'run.js').write_text(script)
    command = [node, 'run.js']
    run = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    positions, values = np.array(json.loads(run.stdout)).T
    np.testing.assert_allclose(positions, find_peaks(vectors, smoothing), atol=1e-4)
    np.testing.assert_array_equal(values, vectors.max(1))


def test_shipped_models_are_described_as_exported_ones():
    models = page.MODELS.items()
    metas = {kind: page.find_model(kind, name).meta for kind, name in models}
    assert metas['detector']['resize']['longer_side'] == 512
    assert metas['detector']['input']['color'] == 'BGR'
    assert metas['pose2d']['crop']['size'] == [192, 256]
    assert metas['pose2d']['crop']['padding'] == 1.1
    assert metas['pose2d']['codec']['smoothing'] == 4
    assert metas['pose2d']['input']['shape'] == ['batch', 3, 256, 192]
    assert len(metas['pose2d']['score_curve'][0]) == 10
    lifting = metas['lifter']['lifting']
    assert (lifting['num_frames'], lifting['num_targets']) == (81, 9)
    assert lifting['fps'] == 50
    assert metas['lifter']['codec']['type'] == 'PersonCenteredPoseLifting'
    for kind in ('pose2d', 'lifter'):
        assert len(metas[kind]['joints']) == len(metas[kind]['parents']) == 17
    with pytest.raises(ValueError, match='gtpt-t is neither a lifter with shipped'):
        page.find_model('lifter', 'gtpt-t')
