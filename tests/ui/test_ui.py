"""``mmhot ui``: the page lifts as ``mmhot infer`` does."""

import os
import socket
import subprocess
import sys
import time
from contextlib import nullcontext
from types import SimpleNamespace
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from browser import open_tab
from clip_files import SKATER
from lifters import save_lifter
from pose_sources import Detector, Estimator, use_stand_ins
from video_files import write_video

from mmhot.apis.options import InferRunOptions
from mmhot.cli.dispatch import main
from mmhot.io.lifted import read_lifted
from mmhot.ui import browser_page
from mmhot.ui.lifting_run import LiftingRun, Progress, describe_progress, shown_command
from mmhot.ui.model_choices import AUTOMATIC, find_choices
from mmhot.ui.sessions import Sessions
from mmhot.video.sources import pose_source
from mmhot.weights.index import DEFAULT_LIFTER, LIVE_LIFTER

# Addresses that need no network.
_WITHIN = ('data:', 'blob:', 'about:')


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    return save_lifter(tmp_path_factory.mktemp('lifter') / 'tiny.pth')


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'out').mkdir()
    return tmp_path / 'out'


@pytest.fixture
def models(monkeypatch):
    """Stand-ins for the 2D models."""
    use_stand_ins(monkeypatch, Detector(every=1), Estimator())


def test_shown_command_has_what_differs_from_the_defaults():
    options = {
        'fov': 60.0,
        'height': None,
        'static_camera': True,
        'smooth_2d': 'none',
        'formats': ['npz', 'html'],
        'kpt_thr': 0.2,
        'intrinsics': '/tmp/x/a.yml',
    }
    assert shown_command('my clip.mp4', options) == (
        "mmhot infer 'my clip.mp4' --fov 60 --static-camera --formats npz,html "
        '--intrinsics a.yml --out-dir results'
    )


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'height': '9'}, 'height must be from 0.3 to 3 meters, got 9'),
        ({'fov': 'wide'}, "fov must be a number, got 'wide'"),
        ({'intrinsics': 'none.yml'}, 'intrinsics: none.yml: no such file or folder'),
    ],
)
def test_wrong_values_are_one_line(folder, options, message):
    *_, last = LiftingRun(SKATER, folder, options)
    assert last.error == message


def test_run_writes_what_infer_writes(models, checkpoint, folder, tmp_path):
    video = write_video(tmp_path / 'clip.mkv', codec='ffv1', pix_fmt='bgr0')
    options = {'pose3d_weights': checkpoint, 'formats': ['npz', 'html'], 'fov': 60.0}
    *_, last = LiftingRun(video, folder, options)
    assert (last.done, last.error) == (True, '')
    assert last.stages['2D'] == last.stages['3D'] == (10, 10)
    assert [path.name for path in last.files] == ['clip.html', 'clip.npz']
    assert 'boxes: stand-in detector, 2D keypoints: stand-in estimator' in last.notes
    assert not read_lifted(folder / 'clip.npz').focal_assumed


def test_run_can_be_stopped(models, checkpoint, folder, tmp_path):
    video = write_video(tmp_path / 'clip.mkv', codec='ffv1', pix_fmt='bgr0')
    run = LiftingRun(video, folder, {'pose3d_weights': checkpoint})
    run.stop()
    *_, last = run
    assert (last.error, last.files) == ('stopped', [])


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('a.mp4', b'no video', 'a.mp4 is not a readable video'),
        ('a.json', b'[', 'a.json: is not valid JSON'),
    ],
)
def test_unreadable_inputs_are_one_line(
    models, folder, tmp_path, name, content, message
):
    (tmp_path / name).write_bytes(content)
    *_, last = LiftingRun(tmp_path / name, folder, {'fov': None})
    assert message in last.error
    assert '\n' not in last.error


def test_installed_models_are_the_choices(monkeypatch):
    monkeypatch.setattr('mmhot.ui.model_choices.shipped_pose_model', lambda: None)
    monkeypatch.setattr(
        'mmhot.ui.model_choices.mediapipe_pose.is_installed', lambda: False
    )
    choices = find_choices()
    assert choices.pose2d == (AUTOMATIC,)
    assert 'No 2D model is installed' in choices.note
    assert choices.pose3d == (DEFAULT_LIFTER, LIVE_LIFTER)
    choices = find_choices(['a.onnx'], ['b.onnx'])
    assert (choices.pose2d, choices.note) == (('a.onnx',), '')
    assert choices.det_model == (
        AUTOMATIC,
        'b.onnx',
        'whole_image',
        pose_source.POSE_VERIFIED,
    )


def test_text_of_users_is_escaped():
    progress = Progress(notes=['<b>'], error='<script>', stages={'2D': (3, 4)})
    text = describe_progress(progress, 'mmhot infer <i>')
    assert not any(tag in text for tag in ('<b>', '<script>', '<i>'))
    assert '&lt;script&gt;' in text
    assert 'aria-valuenow="75"' in text


def test_without_gradio_the_models_run_in_the_browser(monkeypatch, capfd):
    def write_page(folder, models, ort, say):
        (folder / 'index.html').write_text(' '.join(models.values()))

    served = []

    def open_server(folder, host, ports):
        served.append((folder / 'index.html').read_text())
        server = SimpleNamespace(
            server_address=(host, ports[0]), serve_forever=lambda: None
        )
        return nullcontext(server)

    monkeypatch.setitem(sys.modules, 'gradio', None)
    monkeypatch.setattr(browser_page, 'write_page', write_page)
    monkeypatch.setattr(browser_page, 'open_server', open_server)
    assert main(['ui', '--pose3d', 'mine']) == 0
    assert served == ['rtmdet-nano-person gtpt-t mine']
    said = ''.join(capfd.readouterr())
    assert "pip install 'mmhot[ui]' for the page that runs mmhot infer\n" in said
    assert 'http://127.0.0.1:7860/ until Ctrl-C' in said


def test_broken_gradio_is_one_line(monkeypatch, tmp_path, capfd):
    (tmp_path / 'gradio.py').write_text("raise ImportError('no pydantic')")
    monkeypatch.delitem(sys.modules, 'gradio', raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert main(['ui']) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith('mmhot ui: error: mmhot ui needs gradio (')
    assert line.endswith("pip install 'mmhot[ui]'")


def upload(folder, content='same'):
    """Write a file as Gradio does: in a folder named by its content."""
    path = folder / content / 'clip.npz'
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(SKATER.read_bytes())
    return path


def test_files_are_deleted_when_the_last_page_that_shows_them_is_closed(folder):
    sessions, path = Sessions(folder), upload(folder)
    sessions.hold('a', [str(path), None])
    sessions.hold('b', [str(path), None])
    sessions.hold('a', [None, None])
    assert path.exists()
    sessions.close('b')
    assert list(folder.iterdir()) == []


def test_results_are_deleted_with_their_page(checkpoint, folder):
    sessions, path = Sessions(folder), upload(folder)
    sessions.hold('a', [str(path)])
    run = sessions.start('a', path, {'pose3d_weights': checkpoint})
    sessions.hold('a', [])  # the run keeps its input
    *_, last = run
    assert [file.name for file in last.files] == ['clip.npz']
    again = sessions.start('a', upload(folder), {'pose3d_weights': checkpoint})
    assert not run.folder.exists()
    sessions.hold('a', [str(path)])
    sessions.close('a')
    assert list(folder.iterdir()) == []
    assert [progress.done for progress in again] == [False]  # it never starts


@pytest.mark.parametrize('closing', ['close', 'close_all'])
def test_closing_a_page_stops_its_run(checkpoint, folder, closing):
    sessions, path = Sessions(folder), upload(folder)
    run = sessions.start('a', path, {'pose3d_weights': checkpoint})
    updates = iter(run)
    next(updates)
    getattr(sessions, closing)(*(['a'] if closing == 'close' else []))
    run.wait()
    assert not run.folder.exists()


def test_closed_pages_cannot_start_runs(folder):
    sessions, path = Sessions(folder), upload(folder)
    assert sessions.start('a', folder / 'deleted.npz', {}) is None
    sessions.close('a')
    sessions.hold('a', [str(path)])
    assert sessions.start('a', path, {}) is None


def test_pages_cannot_hold_and_so_delete_other_files(checkpoint, folder, tmp_path):
    sessions, path = Sessions(folder), upload(folder)
    run = sessions.start('a', path, {'pose3d_weights': checkpoint})
    others = [folder / 'x', run.folder / 'x', tmp_path / 'x', run.folder / 'input/x']
    sessions.hold('b', map(str, others))
    sessions.close('b')
    assert (run.folder / 'input/clip.npz').exists()
    assert path.exists()


def test_interrupted_uploads_are_swept_after_a_while(folder):
    sessions, held = Sessions(folder), upload(folder, 'held')
    sessions.hold('a', [str(held)])
    old, new = upload(folder, 'old').parent, upload(folder, 'new').parent
    (folder / 'tmp1').touch()
    for path in (held.parent, old, folder / 'tmp1'):
        os.utime(path, (0, 0))
    sessions.sweep()
    assert set(folder.iterdir()) == {held.parent, new}
    folder.rename(folder.with_name('gone'))
    sessions.sweep()


def test_upload_limits_are_positive(capsys):
    assert main(['ui', '--max-upload', '0']) == 2
    assert '--max-upload must be at least 1 MB, got 0' in capsys.readouterr().err


@pytest.mark.slow(reason='needs Gradio')
@pytest.mark.parametrize('empty', [None, '', ' '])
def test_empty_fields_are_the_defaults(tmp_path, empty):
    pytest.importorskip('gradio')
    from mmhot.ui import page

    fields = page.Page(find_choices(), Sessions(tmp_path))._fields
    cleared = {'textbox': empty, 'checkboxgroup': []}  # as browsers send them
    values = {
        name: field.preprocess(cleared.get(field.get_block_name()))
        for name, field in fields.items()
    }
    given = page._as_options(values, None)
    assert given == {'formats': ['html'], 'device': None}


# What only the one who starts the page may choose, or what does not concern it.
_NOT_ON_PAGE = {
    *('device', 'backend', 'keep', 'mapping', 'flip_2d', 'batch_size'),
    *('pose2d_weights', 'pose2d_skeleton', 'det_weights', 'pose3d_weights'),
    *('max_megapixels', 'out_dir', 'no_cache', 'resume'),
}


@pytest.mark.slow(reason='needs Gradio')
def test_fields_are_the_options_with_their_defaults(tmp_path):
    pytest.importorskip('gradio')
    from mmhot.ui import page

    shown = page.Page(find_choices(), Sessions(tmp_path))._fields
    assert set(shown) == set(page._OPTIONS) - _NOT_ON_PAGE
    models = {'pose2d', 'det_model', 'pose3d'}
    defaults = {name: shown[name].value for name in shown if name not in models}
    values = page._as_options(defaults, None)
    assert shown_command('a.mp4', values) == (
        'mmhot infer a.mp4 --formats npz,html --out-dir results'
    )
    assert InferRunOptions(**values, out_dir='out').camera is None
    values |= dict(camera='auto', joints=24, without=('feet',))
    command = shown_command('a.mp4', values)
    assert all(x in command for x in ('--camera auto', '--joints 24', '--without feet'))


@pytest.fixture(scope='module')
def server(tmp_path_factory):
    """Address of a page in a process of its own, and its temporary folder."""
    pytest.importorskip('gradio')
    folder = tmp_path_factory.mktemp('ui')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    command = [sys.executable, '-m', 'mmhot', 'ui', '--port', str(port)]
    command += ['--max-upload', '1']
    environment = {**os.environ, 'TMPDIR': str(folder)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        for line in process.stdout:
            if line.startswith('http'):
                break
        yield line.split()[0], folder
        process.terminate()
        assert process.wait(60) == 0
    assert list(folder.iterdir()) == []  # nothing is left behind


def content_of(folder):
    """Files of visitors; Gradio leaves empty ones, which are swept later."""
    return [x for x in folder.rglob('*') if x.is_file() and x.stat().st_size]


@pytest.mark.slow(reason='needs Gradio')
def test_large_uploads_are_refused(server):
    address, folder = server
    start = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.mp4"\r\n'
    header = {'Content-Type': 'multipart/form-data; boundary=x'}
    for size, code in ((900_000, 200), (1_100_000, 413)):
        body = start + b'\r\n' + bytes(size) + b'\r\n--x--\r\n'
        try:
            found = urlopen(Request(f'{address}gradio_api/upload', body, header)).status
        except HTTPError as error:
            found = error.code
        assert found == code
    assert [file.name for file in content_of(folder)] == ['a.mp4']
    content_of(folder)[0].unlink()


@pytest.mark.slow(reason='needs Gradio, playwright and Chromium')
@pytest.mark.parametrize('width', [1280, 390])
def test_page_lifts_an_uploaded_file(server, tmp_path, width):
    address, folder = server
    outside = []
    with open_tab(width) as (tab, problems):
        tab.set_default_timeout(120_000)
        tab.on('request', lambda r: outside.append(r.url))
        tab.goto(address)
        lift = tab.get_by_role('button', name='Lift')
        lift.click()
        error = tab.locator('#progress .error')
        error.filter(has_text='Drop a video first').wait_for()
        tab.locator('input[type=file]').first.set_input_files(SKATER)
        tab.locator(f'a[download="{SKATER.name}"]').wait_for()  # it is there
        tab.get_by_text('Camera and scale').click()
        tab.get_by_text('Keypoints and results').click()  # empty fields are defaults
        height = tab.get_by_label('Body height, meters')
        height.fill('9')
        lift.click()
        error.filter(has_text='height must be from 0.3 to 3 meters, got 9').wait_for()

        height.fill('1.7')
        lift.click()
        viewer = tab.locator('#viewer iframe')
        viewer.wait_for()
        inner = viewer.element_handle().content_frame()
        inner.wait_for_function('window.mmhot !== undefined')
        before = inner.evaluate('mmhot.joint(0, 10)')
        inner.locator('#timeline').fill('100')
        assert inner.evaluate('mmhot.joint(0, 10)') != before
        assert '185 / 185' in tab.locator('#progress').inner_text()
        assert '--height 1.7' in tab.locator('#progress code').inner_text()
        with tab.expect_download() as download:
            tab.locator(f'#results a[download="{SKATER.stem}.npz"]').click()
        download.value.save_as(tmp_path / 'a.npz')
        shown = tab.locator('#results a').first.get_attribute('href')
        assert urlopen(shown).status == 200
        inside = 'document.documentElement.scrollWidth <= window.innerWidth'
        assert tab.evaluate(inside)
    assert len(read_lifted(tmp_path / 'a.npz')) == 185
    assert [url for url in outside if not url.startswith((address, *_WITHIN))] == []
    assert [line for line in problems if 'not implemented' not in line] == []
    # the page is closed: all files of its visitor are deleted
    deadline = time.monotonic() + 60
    while content_of(folder) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert content_of(folder) == []
    with pytest.raises(HTTPError):
        urlopen(shown)
