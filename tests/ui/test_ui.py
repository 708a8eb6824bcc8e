"""``mmhot ui``: the page lifts as ``mmhot infer`` does."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from browser import open_tab
from clip_files import SKATER

from mmhot.cli.dispatch import main
from mmhot.io.lifted import read_lifted

# Addresses that need no network.
_WITHIN = ('data:', 'blob:', 'about:')


def test_a_damaged_gradio_is_one_line(monkeypatch, tmp_path, capfd):
    (tmp_path / 'gradio.py').write_text("raise ImportError('no pydantic')")
    monkeypatch.delitem(sys.modules, 'gradio', raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert main(['ui']) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith('mmhot ui: error: mmhot ui needs gradio (')


@pytest.fixture
def page(tmp_path):
    pytest.importorskip('gradio')
    from mmhot.ui.page import Page

    return Page(tmp_path / 'ui')


def lift(page, source, request, **given):
    """Run with the page's defaults; yields viewer, messages, files, ..."""
    defaults = {name: field.value for name, field in page.fields.items()}
    return page.lift(request, source, *(defaults | given).values())


@pytest.fixture
def visitor(page, tmp_path):
    """Upload a file; returns the visitor's request and the file's path."""

    def upload(name='a', file=SKATER):
        path = tmp_path / 'ui/hash' / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, path)
        request = SimpleNamespace(session_hash=name)
        page.keep(str(path), request)
        return request, str(path)

    return upload


def running():
    """Processes that this one has started and that have not ended."""
    return Path('/proc/thread-self/children').read_text().split()


@pytest.mark.slow(reason='needs Gradio')
def test_files_of_a_session_are_replaced_and_deleted_with_it(page, visitor, tmp_path):
    request, source = visitor('../a')
    options = dict(formats=['csv'], height=' ')
    *_, (viewer, _, first) = lift(page, source, request, **options)
    assert [Path(path).name for path in first] == [
        f'{SKATER.stem}.csv',
        f'{SKATER.stem}.html',
        f'{SKATER.stem}.npz',
    ]
    assert '<iframe' in viewer
    # whatever the session's name
    assert {Path(path).parents[2] for path in first} == {tmp_path / 'ui'}
    visitor('../a')
    *_, (_, _, second) = lift(page, source, request)
    assert not any(Path(path).exists() for path in first)
    assert all(Path(path).exists() for path in second)
    other, same = visitor('b')
    page.leave(request)
    assert content_of(tmp_path / 'ui') == [Path(same)]  # others have it, too
    page.leave(other)
    assert content_of(tmp_path / 'ui') == []
    *_, (_, message, files) = lift(page, source, request)
    assert (message, files) == ('Upload a video, an image or 2D keypoints first.', None)


@pytest.mark.slow(reason='needs Gradio')
def test_failed_runs_are_one_line(page, visitor, tmp_path):
    (tmp_path / 'a.mp4').write_bytes(b'no video')
    request, source = visitor(file=tmp_path / 'a.mp4')
    *_, (_, message, files) = lift(page, source, request)
    assert 'a.mp4 is not a readable video' in message
    assert ('\n' in message, files) == (False, None)


@pytest.mark.slow(reason='needs Gradio')
def test_files_of_other_kinds_are_refused(page, tmp_path):
    from gradio import Error, File
    from gradio.data_classes import FileData

    (tmp_path / 'a.txt').write_text('/etc/passwd')
    source = next(x for x in page.blocks.blocks.values() if isinstance(x, File))
    with pytest.raises(Error, match='Invalid file type'):
        source.preprocess(FileData(path=str(tmp_path / 'a.txt')))


@pytest.mark.slow(reason='needs Gradio')
@pytest.mark.parametrize('how', ['stop', 'leave', 'close', 'drop'])
def test_runs_end_when_they_are_stopped_or_their_page_is_closed(page, visitor, how):
    request, source = visitor()
    updates, before = lift(page, source, request), running()
    viewer, *_ = next(updates)
    assert '<progress' in viewer
    assert len(running()) == len(before) + 1
    if how == 'drop':  # as Gradio does with the run of a closed page
        updates.close()
    elif how == 'close':
        page.close()
    else:
        getattr(page, how)(request)
    assert running() == before
    if how == 'stop':
        *_, (_, message, files) = updates
        assert (message, files) == ('stopped', None)


@pytest.mark.slow(reason='needs Gradio')
def test_options_of_the_page_act(page, visitor):
    request, source = visitor()
    options = dict(start='2', end='0:04', height='1.7', joints=True, speed='fast')
    updates = [*lift(page, source, request, **options)]
    files = {Path(x).suffix: x for x in updates[-1][2]}
    clip = read_lifted(files['.npz'])
    assert clip.frame[[0, -1]].tolist() == [50, 99]
    assert len(clip.joint_names) == 24
    *_, (_, message, files) = lift(page, source, request, start='9')
    assert 'none in the part that begins at Start, 9 s' in message
    *_, (_, message, files) = lift(page, source, request, people='5')
    assert 'People to lift must be among the track IDs 0 of' in message
    corrections = Path(source).with_name('a.corrections.json')
    corrections.write_text('[{"person": 0, "leave_out": true, "to": 59}]')
    options |= dict(corrections=str(corrections), camera='static')  # no camera here
    *_, (_, message, files) = lift(page, source, request, **options)
    clip = read_lifted(next(x for x in files if x.endswith('.npz')))
    assert clip.frame[[0, -1]].tolist() == [60, 99]
    corrections.write_text('[{"person": 7, "is": 0}]')
    *_, (_, message, files) = lift(page, source, request, **options)
    assert message.endswith(': a.corrections.json: line 1: there is no person 7')
    page.keep(source, request, str(corrections))
    page.keep(source, request)
    assert Path(source).exists()
    assert not corrections.exists()


@pytest.mark.slow(reason='needs Gradio')
def test_models_are_those_of_the_list(page, visitor):
    """Another name could be that of a config, which is a program."""
    request, source = visitor()
    *_, (_, message, files) = lift(page, source, request, pose2d='evil.py')
    assert files
    assert 'evil' not in message


@pytest.mark.slow(reason='needs Gradio')
def test_the_next_run_has_the_2d_keypoints_of_the_last(tmp_path):
    pytest.importorskip('gradio')
    from mmhot.ui.page import _new_folder

    first = _new_folder(tmp_path)
    (first / '.mmhot-cache').mkdir()
    (first / '.mmhot-cache/a.npz').write_bytes(b'a')
    (first / 'walk.npz').write_bytes(b'b')
    second = _new_folder(tmp_path)
    assert [*tmp_path.iterdir()] == [second]
    assert (second / '.mmhot-cache/a.npz').read_bytes() == b'a'
    assert not (second / 'walk.npz').exists()


def test_progress_has_the_time_left(tmp_path, monkeypatch):
    from mmhot.ui import progress

    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(progress.time, 'monotonic', lambda: clock.now)
    path = tmp_path / 'progress'
    with progress.bars_to_file(path)('<walk>: 2D') as show:
        clock.now += 10
        show(25, 100)
        text = progress.progress_html(path)
        assert '&lt;walk&gt;: 2D, frame 25 of 100, 30 s left' in text
        assert 'value="0.250"' in text
        clock.now += 0.05
        show(26, 100)  # too soon
        assert progress.progress_html(path) == text
        show(100, 100)
        assert '100 of 100, 0 s left' in progress.progress_html(path)


@pytest.mark.slow(reason='needs Gradio')
def test_two_users_lift_at_once(page, visitor):
    before = running()
    runs = [lift(page, source, who) for who, source in map(visitor, 'ab')]
    for run in runs:
        next(run)
    assert len(running()) == len(before) + 2
    for run in runs:
        *_, (viewer, _, files) = run
        assert '<iframe' in viewer
        assert files
    found = {x.concurrency_limit for x in page.blocks.fns.values() if x.fn == page.lift}
    assert found == {2}


@pytest.fixture(scope='module')
def server(tmp_path_factory):
    """Address of a page in a process of its own, and its temporary folder."""
    pytest.importorskip('gradio')
    folder = tmp_path_factory.mktemp('ui')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    code = (
        'from mmhot.cli import main; from mmhot.ui import page; '
        'page.MAX_UPLOAD = 1_000_000; raise SystemExit(main())'
    )
    command = [sys.executable, '-c', code, 'ui', '--port', str(port)]
    environment = {**os.environ, 'TMPDIR': str(folder)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout.readline() == 'the page opens in a few seconds\n'
        line = process.stdout.readline()
        assert line.startswith(f'http://127.0.0.1:{port}/ is ready, ')
        yield line.split()[0], folder
        process.terminate()
        assert process.wait(60) == 0
    assert list(folder.glob('mmhot*')) == []  # nothing is left behind


def content_of(folder):
    """Files of visitors; Gradio leaves empty ones until the server ends."""
    return [x for x in folder.rglob('*') if x.is_file() and x.stat().st_size]


def status_of(request):
    try:
        return urlopen(request).status
    except HTTPError as error:
        return error.code


@pytest.mark.slow(reason='needs Gradio')
def test_large_uploads_are_refused(server):
    address, folder = server
    start = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.mp4"\r\n'
    header = {'Content-Type': 'multipart/form-data; boundary=x'}
    for size, code in ((900_000, 200), (1_100_000, 413)):
        body = start + b'\r\n' + bytes(size) + b'\r\n--x--\r\n'
        asked = Request(f'{address}gradio_api/upload', body, header)
        assert status_of(asked) == code
    assert [file.name for file in content_of(folder)] == ['a.mp4']
    content_of(folder)[0].unlink()


@pytest.mark.slow(reason='needs Gradio')
def test_other_sites_are_refused(server):
    address, folder = server
    own, other = address.rstrip('/'), 'http://evil.example'
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
    kind = {'Content-Type': 'multipart/form-data; boundary=x'}
    cases = {
        200: {'Origin': own},
        403: {'Origin': other},
        400: {'Host': 'evil.example'},
    }
    for code, header in cases.items():
        asked = Request(f'{own}/gradio_api/upload', body + b'1\r\n--x--', kind | header)
        assert status_of(asked) == code
    [file] = content_of(folder)
    file.unlink()


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
        tab.get_by_role('button', name='More').click()
        height = tab.get_by_label('Body height, meters')
        height.fill('9')
        assert lift.is_disabled()
        tab.locator('input[type=file]').first.set_input_files(SKATER)
        lift.click()  # as soon as it can be clicked
        wait_for_message(tab, 'height must be from 0.3 to 3 meters, or one')

        height.fill('1.7')
        while 'height must' in tab.locator('#messages textarea').input_value():
            lift.click()  # does nothing until the page knows that the run has ended
            time.sleep(0.2)
        viewer = tab.locator('#viewer iframe')
        viewer.wait_for()
        inner = viewer.element_handle().content_frame()
        inner.wait_for_function('window.mmhot !== undefined')
        before = inner.evaluate('mmhot.joint(0, 10)')
        inner.locator('#timeline').fill('100')
        assert inner.evaluate('mmhot.joint(0, 10)') != before
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


def wait_for_message(tab, text):
    box = tab.locator('#messages textarea')
    deadline = time.monotonic() + 60
    while text not in box.input_value():
        assert time.monotonic() < deadline, box.input_value()
        time.sleep(0.2)


@pytest.mark.slow(reason='needs Gradio')
@pytest.mark.parametrize(
    ('line', 'words'),
    [
        ('walk: static camera', 'walk: static camera'),
        ('--height must be a number', 'Body height must be a number'),
        *(
            (f'mmhot {command}: error: --start is wrong', 'Start is wrong')
            for command in ('infer', 'lift')
        ),
        ('jitter: try --pose2d movenet', 'jitter: try 2D model movenet'),
        ('a: static; --camera moving', 'a: static; Camera moving'),
        ('lens assumed; --fov or --intrinsics set it', 'lens assumed'),
        ('give --pose2d-weights', ''),
    ],
)
def test_messages_name_the_fields_of_the_page(page, tmp_path, line, words):
    from mmhot.ui.page import _read

    (tmp_path / 'log').write_text(line)
    assert _read([tmp_path / 'log'], tmp_path / 'results') == words
