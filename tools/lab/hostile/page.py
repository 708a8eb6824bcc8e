"""Hostile visitors of ``mmhot ui``: uploads, forged requests, closed pages."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

from tools.lab.hostile import files

_LIMIT = 2_000_000
# Seconds of a request, and of the start.
_SECONDS, _START = 60.0, 240.0
Check = Callable[['OpenPage'], str]
"""A case, given the page; returns what was wrong, or an empty text."""


class OpenPage:
    """A running server, and the requests that browsers make.

    Args:
        folder (Path): Its folder of temporary files.
    """

    def __init__(self, folder: Path) -> None:
        with socket.create_server(('127.0.0.1', 0)) as free:
            port = free.getsockname()[1]
        command = [sys.executable, '-m', 'mmhot', 'ui', '--port', str(port)]
        self._log = (folder / 'log').open('w')
        (folder / 'tmp').mkdir()
        self.folder, self.address = folder / 'tmp', f'http://127.0.0.1:{port}'
        self.process = subprocess.Popen(
            [*command, '--max-upload', str(_LIMIT // 1_000_000)],
            cwd=folder,
            env={**os.environ, 'TMPDIR': str(self.folder)},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        deadline = time.monotonic() + _START
        while self.get('/config')[0] != 200:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError('mmhot ui does not start')
            time.sleep(0.2)
        self._config = json.loads(self.get('/config')[1])

    def get(self, path: str, data: bytes | None = None, **headers: str):
        """Return status (0 without an answer) and content."""
        try:
            request = Request(self.address + path, data, headers)
            with urlopen(request, timeout=_SECONDS) as answer:
                return answer.status, answer.read()
        except HTTPError as error:
            return error.code, error.read()
        except (OSError, HTTPException, ValueError) as error:
            return 0, str(error).encode()

    def upload(self, content: bytes, name: str = 'a.npz') -> tuple[int, Any]:
        """Upload a file; returns status and the paths on the server."""
        head = f'Content-Disposition: form-data; name="files"; filename="{name}"'
        body = f'--x\r\n{head}\r\n\r\n'.encode() + content + b'\r\n--x--\r\n'
        kind = {'Content-Type': 'multipart/form-data; boundary=x'}
        code, found = self.get('/gradio_api/upload', body, **kind)
        return code, json.loads(found) if code == 200 else None

    def press_lift(self, path: str | None, **changed: Any) -> str:
        """Press Lift as a new visitor; returns what the page is sent, as JSON lines.

        Args:
            path (str, optional): Upload.
            **changed: Values of fields by their labels' first words.
        """
        session = secrets.token_hex(8)
        code, _ = self._join(session, path, changed)
        if code != 200:
            return f'status {code}'
        with urlopen(self._events(session), timeout=_SECONDS) as stream:
            lines = []
            for line in stream:
                lines.append(line.decode('utf-8', 'replace'))
                if b'process_completed' in line or b'close_stream' in line:
                    break
        return ''.join(lines)

    def leave_during_run(self, path: str) -> None:
        """Press Lift and close the page after the first update."""
        session = secrets.token_hex(8)
        self._join(session, path, {})
        with (
            urlopen(f'{self.address}/gradio_api/heartbeat/{session}'),
            urlopen(self._events(session), timeout=_SECONDS) as stream,
        ):
            for line in stream:
                if b'process_generating' in line:
                    return

    def _events(self, session: str) -> str:
        return f'{self.address}/gradio_api/queue/data?session_hash={session}'

    def _join(self, session: str, path: str | None, changed: dict[str, Any]):
        parts = {each['id']: each for each in self._config['components']}
        lift = next(d for d in self._config['dependencies'] if len(d['inputs']) > 5)
        data = []
        for number in lift['inputs']:
            props = parts[number]['props']
            label = props.get('label', '').replace(',', ' ').split()[0]
            data.append(changed.get(label, props.get('value')))
            if label == 'Video' and path is not None:
                kind = {'_type': 'gradio.FileData'}
                data[-1] = {'path': path, 'orig_name': 'a', 'meta': kind}
        document = dict(data=data, fn_index=lift['id'], session_hash=session)
        body = json.dumps(document | dict(trigger_id=None, event_data=None)).encode()
        kind = {'Content-Type': 'application/json'}
        return self.get('/gradio_api/queue/join', body, **kind)

    def content(self) -> list[Path]:
        """List the visitors' files."""
        return [x for x in self.folder.rglob('*') if x.is_file() and x.stat().st_size]

    def memory(self) -> int:
        """Return the largest memory in bytes; 0 when the server has ended."""
        if self.process.poll() is not None:
            return 0
        lines = Path(f'/proc/{self.process.pid}/status').read_text().splitlines()
        (line,) = [line for line in lines if line.startswith('VmHWM')]
        return int(line.split()[1]) << 10

    def stop(self) -> int | None:
        """End the server; returns its exit code, None if it had to be killed."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None
        finally:
            self._log.close()


@contextmanager
def open_page() -> Iterator[OpenPage]:
    """Start a server with a temporary folder."""
    with tempfile.TemporaryDirectory(prefix='mmhot-hostile-') as folder:
        page = OpenPage(Path(folder))
        try:
            yield page
        finally:
            if page.process.poll() is None:
                page.stop()


def all_visits() -> dict[str, Check]:
    """Name the cases, in their order: the last ends the server."""
    paths = ('/etc/passwd', '../../../etc/passwd', '/proc/self/environ', '//etc/passwd')
    visits = {f'read {path}': partial(_read, path=path) for path in paths}
    visits |= {
        f'upload named {name!r:.20}': partial(_upload, name=name)
        for name in ('../../x.npz', 'n' * 300, '\x1b[31m.npz', '.', 'a\\b.npz', 'ü.npz')
    }
    visits['upload over the limit'] = _large
    inputs = {
        'a.txt': b'/etc/passwd',
        'a.py': b'import os; os.mkdir("executed")',
        'a.npz': b'x',
        'a.mp4': b'x' * 1000,
        'a.json': files.nested(100_000).encode(),
        'a.pth': files.bomb(),
        'b.npz': files.bomb(),
    }
    for name, content in inputs.items():
        visits[f'lift {name}'] = partial(_lift, name=name, content=content)
    forged = {
        '2D': '/tmp/x.py',
        'Person': 'http://127.0.0.1:1/x.onnx',
        'Lifter': '../x.py',
        'Files': ['../npz'],
        'Axes': 'sideways',
        'Horizontal': 'x' * 1_000_000,
        'Body': {'a': 1},
        'Calibration': {'path': '/etc/passwd'},
    }
    for label, value in forged.items():
        visits[f'forged {label}'] = partial(_forge, label=label, value=value)
    visits['input of the machine'] = lambda page: _is_refused(
        page.press_lift('/etc/passwd')
    )
    for title, body in {'garbage': b'{', 'list': b'[]', 'deep': b'[' * 10**5}.items():
        visits[f'request of {title}'] = partial(_request, body=body)
    visits['page closed during a run'] = _leave
    return visits | {'server ends': _end}


def _read(page: OpenPage, path: str) -> str:
    code, content = page.get(f'/gradio_api/file={quote(path)}')
    return '' if code in (403, 404) else f'status {code}: {content[:50]!r}'


def _upload(page: OpenPage, name: str) -> str:
    outside = set(page.folder.parent.rglob('*'))
    code, paths = page.upload(b'abc', name)
    new = [x for x in set(page.folder.parent.rglob('*')) - outside if x.is_file()]
    if any(page.folder not in path.parents for path in new):
        return f'written to {new}'
    return '' if paths or code in (0, 400, 422, 500) else f'status {code}'


def _large(page: OpenPage) -> str:
    before = page.content()
    code, _ = page.upload(bytes(_LIMIT + 1000))
    if code != 413:
        return f'status {code}'
    return '' if page.content() == before else 'the upload is kept'


def _lift(page: OpenPage, name: str, content: bytes) -> str:
    _, paths = page.upload(content, name)
    return _is_refused(page.press_lift(paths[0]))


def _forge(page: OpenPage, label: str, value: Any) -> str:
    _, paths = page.upload(files.good_npz(), 'good.npz')
    return _is_refused(page.press_lift(paths[0], **{label: value}))


def _is_refused(answer: str) -> str:
    if '.npz"' in answer and 'run-' in answer:
        return f'lifted: {answer[-200:]}'
    is_shown = 'role=\\"alert\\"' in answer or '"success":false' in answer
    return '' if is_shown or answer.startswith('status 4') else answer[-300:]


def _request(page: OpenPage, body: bytes) -> str:
    kind = {'Content-Type': 'application/json'}
    code, _ = page.get('/gradio_api/queue/join', body, **kind)
    return '' if 400 <= code < 500 else f'status {code}'


def _leave(page: OpenPage) -> str:
    before = set(page.folder.rglob('run-*'))
    _, paths = page.upload(files.good_npz(3000), 'long.npz')
    page.leave_during_run(paths[0])
    deadline = time.monotonic() + _SECONDS
    while left := set(page.folder.rglob('run-*')) - before:
        if time.monotonic() > deadline:
            return f'left behind: {left}'
        time.sleep(0.2)
    return ''


def _end(page: OpenPage) -> str:
    if page.get('/config')[0] != 200:
        return 'the server does not answer any more'
    if list(page.folder.parent.rglob('executed')):
        return 'code of an upload was executed'
    code = page.stop()
    if code != 0:
        return f'exit code {code}'
    left = list(page.folder.glob('mmhot-*'))
    return f'left behind: {left}' if left else ''
