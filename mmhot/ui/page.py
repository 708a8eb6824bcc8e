"""The page of ``mmhot ui``: each run is an ``mmhot infer`` in a process of its own."""

import hashlib
import html
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gradio as gr

from mmhot.compat.installation import python_command
from mmhot.structures.formats import WRITERS

# Without lists of inputs (.txt), which could name any file of the machine.
_INPUTS = ['video', 'image', '.npz', '.json', '.csv', '.h5']
_RUN = 'from mmhot.cli import main; sys.exit(main())'
# Seconds between two looks at a run.
_INTERVAL = 0.3
_NO_POSES = (
    '<div style="display: grid; place-items: center; height: 36vh">The people of the '
    'video appear here.</div>'
)


class Page:
    """Builds the page and runs ``mmhot infer`` for its visitors.

    Args:
        folder (Path): Folder of Gradio's uploads. Each session has a folder in it for
            its upload and results, which is deleted when the session ends.
        options (Sequence[str]): Further options of ``mmhot infer``. Visitors cannot
            name models, because configs are programs.
    """

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        self._folder, self._options = folder.resolve(), options
        self._processes: dict[Path, subprocess.Popen] = {}
        self.blocks = self._build()

    def close(self) -> None:
        """Stop the server and all runs."""
        self.blocks.close(verbose=False)
        for process in list(self._processes.values()):
            _end(process)

    def _build(self) -> gr.Blocks:
        formats = [
            name
            for name, writer in WRITERS.items()
            if writer.requires is None or find_spec(writer.requires[0]) is not None
        ]
        with gr.Blocks(title='mmhot', analytics_enabled=False) as blocks:
            gr.Markdown('# mmhot\nThe people of a video in 3D, on this machine.')
            with gr.Row():
                with gr.Column(scale=1, min_width=300):
                    source = gr.File(
                        label='Video, image or 2D keypoints', file_types=_INPUTS
                    )
                    chosen = gr.CheckboxGroup(
                        formats, value=['npz', 'html'], label='Files'
                    )
                    height = gr.Textbox(
                        label='Body height, meters',
                        info='Empty: estimated by the model.',
                    )
                    with gr.Row():
                        lift = gr.Button('Lift', variant='primary')
                        stop = gr.Button('Stop')
                with gr.Column(scale=2, min_width=320):
                    viewer = gr.HTML(_NO_POSES, elem_id='viewer')
                    messages = gr.Textbox(
                        label='Messages', elem_id='messages', interactive=False
                    )
                    files = gr.File(
                        label='Results',
                        elem_id='results',
                        file_count='multiple',
                        interactive=False,
                    )
            private = dict(api_visibility='private')
            source.upload(self._keep, source, source, **private)
            lift.click(
                self._run,
                [source, chosen, height],
                [viewer, messages, files],
                show_progress_on=messages,
                concurrency_limit=1,
                **private,
            )
            stop.click(self._stop, queue=False, **private)
            blocks.unload(self._leave)
        return blocks

    def _folder_of(self, request: gr.Request) -> Path:
        """Return the folder of a session; clients choose the session's name."""
        name = hashlib.sha256(request.session_hash.encode()).hexdigest()
        return self._folder / f'session-{name[:32]}'

    def _keep(self, source: str, request: gr.Request) -> str:
        """Move an upload to the session's folder, in place of the one before."""
        folder = self._folder_of(request) / 'input'
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return shutil.move(source, str(folder))

    def _run(
        self, source: str | None, formats: list[str], height: str, request: gr.Request
    ) -> Iterator[tuple[Any, Any, Any]]:
        """Lift the upload; yields the viewer, messages and files."""
        if source is None or not Path(source).is_file():
            yield _NO_POSES, 'Upload a video, an image or 2D keypoints first.', None
            return
        session = self._folder_of(request)
        for before in session.glob('results-*'):
            shutil.rmtree(before)
        out = Path(tempfile.mkdtemp(prefix='results-', dir=session))
        # the page shows .html
        names = ','.join(dict.fromkeys([*formats, 'html']))
        command = ['infer', source, f'--out-dir={out}', f'--formats={names}']
        if height.strip():
            command.append(f'--height={height.strip()}')
        logs = session / 'stdout', session / 'stderr'
        with logs[0].open('wb') as stdout, logs[1].open('wb') as stderr:
            process = subprocess.Popen(
                python_command(_RUN, *command, *self._options),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )
        self._processes[session] = process
        try:
            while process.poll() is None:
                yield _NO_POSES, _read(logs, out), None
                time.sleep(_INTERVAL)
        finally:
            _end(process)
            stopped = self._processes.pop(session, None) is None
        if process.returncode:
            *_, reason = ['failed', *_read(logs[1:], out).splitlines()]
            yield _NO_POSES, 'stopped' if stopped else reason, None
            return
        files = sorted(path for path in out.iterdir() if path.is_file())
        yield _frame(files), _read(logs, out), [str(path) for path in files]

    def _stop(self, request: gr.Request) -> None:
        """End the run of a session."""
        process = self._processes.pop(self._folder_of(request), None)
        if process is not None:
            _end(process)

    def _leave(self, request: gr.Request) -> None:
        """End the run of a session and delete its files."""
        self._stop(request)
        shutil.rmtree(self._folder_of(request), ignore_errors=True)


def _end(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _read(logs: Iterable[Path], out: Path) -> str:
    """Read the lines of a run, without those that name its files."""
    lines = []
    for log in logs:
        with suppress(FileNotFoundError):  # the session has ended
            lines += log.read_text(encoding='utf-8', errors='replace').splitlines()
    return '\n'.join(line for line in lines if str(out) not in line)


def _frame(files: list[Path]) -> str:
    """Embed the viewer, isolated from the rest of the page."""
    page = next((path for path in files if path.suffix == '.html'), None)
    if page is None:  # no person was found
        return _NO_POSES
    text = html.escape(page.read_text(encoding='utf-8'), quote=True)
    style = 'width: 100%; height: 68vh; border: 0'
    return f'<iframe style="{style}" sandbox="allow-scripts" srcdoc="{text}"></iframe>'
