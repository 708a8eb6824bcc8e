"""The page, its files, and the poses that it estimates in Chromium."""

import json
import shutil
import subprocess
import threading
import time
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import av
import numpy as np
import onnx
import pytest
from browser import open_tab
from scipy.ndimage import gaussian_filter1d
from video_files import write_video

import mmhot
from projects.browser import page_files
from projects.browser.page_files import HERE, MODELS, find_model, write_page

DEMO, TRUTH = 'demo/walk.mp4', 'demo/walk.npz'
FPS, SIZE = 25, (1280, 720)
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
def built(tmp_path, monkeypatch):
    """Stand-ins for what npm installs and builds."""
    ort = tmp_path / 'dist'
    ort.mkdir()
    for name in (*page_files.ORT_FILES, 'scene.js'):
        (ort / name).write_text(name)
    monkeypatch.setattr(page_files, 'ORT', ort)
    monkeypatch.setattr(page_files, 'BUNDLE', ort / 'scene.js')
    return ort


def test_folder_has_all_files(tmp_path, built):
    models, out = write_models(tmp_path / 'models'), tmp_path / 'out'
    for _ in range(2):  # a page may be written again
        write_page(out, models)
    found = {str(path.relative_to(out)) for path in out.rglob('*') if path.is_file()}
    own = {path.name for path in (HERE / 'page').iterdir()}
    assert {'index.html', 'main.js', 'page.css', 'scene.js'} < own
    assert found == {
        *own,
        'page.json',
        'example.mp4',
        *(f'ort/{name}' for name in page_files.ORT_FILES),
        *(f'models/{kind}/{x}' for kind in models for x in ('model.onnx', 'meta.json')),
    }
    assert (out / 'scene.js').read_text() == 'scene.js'  # the bundle


@pytest.mark.parametrize('name', ['mine.txt', 'page.json'])
def test_other_folders_are_not_overwritten(tmp_path, built, name):
    models, out = write_models(tmp_path / 'models'), tmp_path / 'out'
    out.mkdir()
    (out / name).write_text('{"mine": 1}')
    with pytest.raises(ValueError, match='must be a new or empty folder'):
        write_page(out, models)
    with pytest.raises(ValueError, match='must be a new or empty folder'):
        write_page(out / name, models)
    assert [path.name for path in out.iterdir()] == [name]


def test_bad_inputs_are_named(tmp_path, built):
    models = write_models(tmp_path / 'models')
    swapped = models | {'lifter': models['pose2d']}
    with pytest.raises(ValueError, match='pose2d is a pose2d, not a lifter'):
        write_page(tmp_path / 'out', swapped)
    with pytest.raises(ValueError, match='nothing is neither a config file nor'):
        write_page(tmp_path / 'out', models | {'lifter': 'nothing'})
    (built / 'ort.wasm.min.mjs').unlink()
    with pytest.raises(FileNotFoundError, match='run `npm ci && npm run build` in'):
        write_page(tmp_path / 'out', models)
    assert not (tmp_path / 'out').exists()


def test_recipes_convert_as_python_does():
    keypoints = np.random.default_rng(0).normal(size=(17, 2))
    names = ('coco-17', 'h36m-17', 'trained')
    wanted, *_ = mmhot.convert_keypoints(keypoints, None, *names)
    recipes = page_files.joint_recipes('coco-17', 'trained')
    for recipe, joint in zip(recipes, wanted, strict=True):
        found = sum(np.multiply(keypoints[index], by) for index, *by in recipe)
        np.testing.assert_allclose(found, joint)


@pytest.mark.parametrize('smoothing', [0, 2.5, 4.0])
def test_peaks_lie_on_the_parabola_around_the_highest_bin(smoothing, tmp_path):
    node = shutil.which('node') or pytest.skip('Node.js is not installed')
    vectors = np.random.default_rng(0).uniform(0, 1, (40, 30)).astype(np.float32)
    vectors[-2:] = np.arange(30), np.arange(30)[::-1]  # highest at the borders
    (tmp_path / 'vectors.json').write_text(json.dumps(vectors.ravel().tolist()))
    script = f"""
import {{ readFileSync }} from 'fs';
import {{ findPeak }} from '{HERE / 'page/codecs.js'}';
const data = Float32Array.from(JSON.parse(readFileSync('vectors.json')));
const find = (_, row) => findPeak({{ data, dims: [40, 30] }}, row, {smoothing});
const peaks = Array.from({{ length: 40 }}, find);
console.log(JSON.stringify(peaks.map(({{ position, value }}) => [position, value])));
"""
    (tmp_path / 'run.mjs').write_text(script)
    command = [node, 'run.mjs']
    run = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    positions, values = np.array(json.loads(run.stdout)).T
    wanted = vectors.argmax(1).astype(float)
    if smoothing:
        radius = int(np.ceil(3 * smoothing))
        smooth = gaussian_filter1d(
            vectors.astype(float), smoothing, mode='nearest', radius=radius
        )
        highest = smooth.argmax(1)[:, None] + [-1, 0, 1]
        around = np.take_along_axis(smooth, highest.clip(0, 29), 1)
        before, peak, after = around.T
        wanted = highest[:, 1] + (after - before) / 2 / (2 * peak - before - after)
    np.testing.assert_allclose(positions, wanted, atol=1e-4)
    np.testing.assert_array_equal(values, vectors.max(1))


def test_shipped_models_have_what_the_page_reads():
    metas = {kind: find_model(kind, name).meta for kind, name in MODELS.items()}
    assert metas['detector']['resize']['longer_side'] == 512
    assert metas['pose2d']['crop']['size'] == [192, 256]
    assert metas['pose2d']['codec']['smoothing'] == 4
    assert len(metas['pose2d']['score_curve'][0]) == 10
    lifting = metas['lifter']['lifting']
    assert (lifting['num_frames'], lifting['num_targets']) == (81, 9)
    assert metas['lifter']['codec']['type'] == 'PersonCenteredPoseLifting'
    for kind in ('pose2d', 'lifter'):
        assert len(metas[kind]['joints']) == len(metas[kind]['parents']) == 17


class _Handler(SimpleHTTPRequestHandler):
    """Isolated pages may use threads."""

    def end_headers(self):
        self.send_header('Cross-Origin-Opener-Policy', 'same-origin')
        self.send_header('Cross-Origin-Embedder-Policy', 'require-corp')
        super().end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture(scope='module')
def address(tmp_path_factory):
    """Address of the page with the shipped models, built by npm from its sources."""
    npm = shutil.which('npm') or pytest.skip('npm is not installed')
    source = tmp_path_factory.mktemp('npm') / 'browser'
    ignored = shutil.ignore_patterns('node_modules', 'build', 'tests')
    shutil.copytree(HERE, source, ignore=ignored)
    for command in (['ci'], ['run', 'build']):
        subprocess.run([npm, *command], cwd=source, check=True, capture_output=True)
    folder = tmp_path_factory.mktemp('page')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page_files, 'ORT', source / 'node_modules/onnxruntime-web/dist')
        patch.setattr(page_files, 'BUNDLE', source / 'build/scene.js')
        write_page(folder)
    with serve(folder) as served:
        yield served


@contextmanager
def serve(folder):
    """Serve a folder in a thread; yields the address."""
    handler = partial(_Handler, directory=str(folder))
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_address[1]}/'
        server.shutdown()


@pytest.mark.slow(reason='needs npm, playwright and Chromium')
def test_page_estimates_the_poses_of_a_video(address):
    with open_tab(1280) as (tab, problems):
        requests = []
        tab.on('request', lambda request: requests.append(request.url))
        tab.goto(address)
        assert tab.evaluate('self.crossOriginIsolated')  # threads are allowed
        tab.select_option('#backend', 'wasm')
        tab.locator('#example').click()
        tab.locator('#status').filter(has_text='done').wait_for(timeout=400_000)
        assert 'frames/s (WebAssembly' in tab.locator('#speed').inner_text()
        _, *frames = tab.evaluate(_LINES)
        with tab.expect_download() as download:
            tab.locator('#save').click()
        lines = download.value.path().read_text(encoding='utf-8').splitlines()
    assert problems == []
    # nothing is sent elsewhere
    assert [url for url in requests if not url.startswith((address, 'blob:'))] == []
    assert len(lines) == 1 + len(frames)
    assert len(frames) >= 60  # of 136, the others may be missed on a slow machine

    people = [frame['instances'][0] for frame in frames]
    assert {person['track_id'] for person in people} == {1}
    keypoints, poses, roots, scores = (
        np.array([person[name] for person in people])
        for name in ('keypoints_2d', 'keypoints_3d', 'root_3d', 'scores')
    )
    numbers = np.rint([FPS * frame['time'] for frame in frames]).astype(int)
    truth = np.load(TRUTH)
    true_poses = truth['h36m_cam3d'][numbers]
    # as `mmhot infer`: 6.4 pixels and 45 mm
    assert mean_distance(keypoints, truth['h36m_2d'][numbers]) < 8
    assert mean_distance(poses, true_poses - true_poses[:, :1]) < 0.06

    # the same keypoints, lifted by Python
    observed = np.concatenate([keypoints, scores[..., None]], -1)
    clip = mmhot.Clip2D.from_arrays(
        observed, SIZE, FPS, skeleton='h36m-17', frames=numbers
    )
    lifted = mmhot.Lifter(MODELS['lifter'], device='cpu')(clip)
    rows = np.searchsorted(lifted.frame, numbers)
    # measured: 2 mm, and 4 cm at 10 m
    assert mean_distance(poses, lifted.keypoints_3d[rows]) < 0.005
    assert mean_distance(roots, lifted.root_3d[rows]) < 0.1


def mean_distance(found, wanted):
    return np.linalg.norm(found - wanted, axis=-1).mean()


@pytest.mark.slow(reason='needs npm, playwright and Chromium')
def test_page_reads_a_camera(address, tmp_path):
    with av.open(DEMO) as container:
        frames = container.decode(video=0)
        images = [frame.to_ndarray(format='bgr24') for frame in frames]
    video = write_video(tmp_path / 'a.mjpeg', images, codec='mjpeg', pix_fmt='yuvj420p')
    fake = [f'--use-fake-{kind}-for-media-stream' for kind in ('ui', 'device')]
    fake.append(f'--use-file-for-fake-video-capture={video}')
    with open_tab(1280, *fake) as (tab, problems):
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
    known = np.load(TRUTH)['h36m_2d']
    distances = [
        np.linalg.norm(known - person['keypoints_2d'], axis=-1).mean(-1).min()
        for frame in frames
        for person in frame['instances']
    ]
    assert len(distances) > 8
    assert np.median(distances) < 8
