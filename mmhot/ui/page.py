"""The page of ``mmhot ui``: each run is an ``mmhot infer`` in a process of its own."""

import hashlib
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

import gradio as gr

from mmhot.chain.calls import INFER_COMMAND, LIFT_COMMAND
from mmhot.chain.formats import FORMATS
from mmhot.chain.pose2d.options import SPEEDS
from mmhot.chain.visualization.html import embed_page
from mmhot.compat.installation import python_command
from mmhot.io.atomic import CACHE_FOLDER
from mmhot.io.readers.keypoints import has_keypoints
from mmhot.options import options_of
from mmhot.ui.progress import progress_html
from mmhot.weights.index import FOLDER
from mmhot.weights.names import NAMED_FILES, POSE

_INPUTS = ['video', 'image', '.npz', '.json', '.csv', '.h5']
# Program of a run: `mmhot` with progress bars in the file of its first argument
_RUN = (
    'from pathlib import Path; from mmhot.cli.dispatch import main; '
    'from mmhot.ui.progress import bars_to_file; '
    'sys.exit(main(bars=bars_to_file(Path(sys.argv.pop(1)))))'
)
_SESSION = 'session-'  # prefix of the folders of sessions
_MINUTES = 60  # minutes after which a run is ended
MAX_UPLOAD = 1_000_000_000
"""Largest upload in bytes."""
# Gradio deletes uploads, such as those of pages that were closed at once, every ten
# minutes if they are older than a day: both in seconds.
_DELETION = 600, 86_400
_PAUSE = 0.3  # seconds between two states of a run that the page shows
_END = 10.0  # seconds that a run has to end by itself when it is stopped
_NO_POSES = (
    '<div style="display: grid; place-items: center; height: 36vh">The people of the '
    'video appear here.</div>'
)
_STARTING = '<label>Starting<progress style="width: 100%"></progress></label>'
_TITLE = """# A video, in 3D
Upload a video of people, choose files for your programs, and press Lift. Everything
runs on this machine; files are deleted when you close the page."""
CSS = '#messages textarea { font-family: monospace; word-break: normal; }'
"""Style of the page: a monospace font, so that tables in messages are aligned."""
# Names of options on the page, for messages
_FIELDS = dict(
    height='Body height',
    start='Start',
    end='End',
    people='People to lift',
    joints='24 joints',
    speed='Speed',
    formats='Files',
    pose2d='2D model',
    camera='Camera',
    corrections='Corrections',
)
_EXAMPLE = FOLDER / 'demo/walk.mp4'
_USERS = 2  # number of runs at the same time
_PRIVATE = dict(api_visibility='private')  # for the page only, not for programs


class Page:
    """Build the page, and run ``mmhot infer`` or ``mmhot lift`` for its visitors.

    Each session has a folder for its results, which is deleted when the session ends.
    Visitors choose models from a list, because configs are programs.

    Args:
        folder (Path): Gradio's folder of uploads, in which sessions have theirs.
        options (Mapping[str, str]): Options of all runs, such as models.

    Attributes:
        fields (dict[str, Any]): Components for options, by name.
        blocks (gr.Blocks): The page.
    """

    def __init__(self, folder: Path, options: Mapping[str, str] = {}) -> None:
        self._folder = folder.resolve()
        self._options = options
        self._processes: dict[Path, subprocess.Popen] = {}  # runs by folder of session
        # Uploads by folder of the session
        self._uploads: dict[Path, list[Path]] = {}
        self.blocks = self._build()

    def close(self) -> None:
        """Stop the server and all runs."""
        self.blocks.close(verbose=False)
        for process in list(self._processes.values()):
            _end(process)

    def _build(self) -> gr.Blocks:
        """Build the page: an upload and its options, then the results beside them."""
        with gr.Blocks(
            title='mmhot', analytics_enabled=False, delete_cache=_DELETION
        ) as blocks:
            gr.Markdown(_TITLE)
            with gr.Row():
                with gr.Column(scale=1, min_width=300):
                    source = gr.File(
                        label='Video, image or 2D keypoints', file_types=_INPUTS
                    )
                    if _EXAMPLE.exists():
                        example = gr.Button('Example', size='sm')
                        example.click(lambda: str(_EXAMPLE), None, source, **_PRIVATE)
                    self.fields = _make_fields()
                    with gr.Row():
                        lift = gr.Button('Lift', variant='primary', interactive=False)
                        stop = gr.Button('Stop')
                with gr.Column(scale=2, min_width=320):
                    results = _make_results()
            files = [source, self.fields['corrections']]
            for file in files:
                file.upload(self.keep, files, None, **_PRIVATE)
            source.change(
                # There is nothing to lift until the upload has ended.
                lambda file: gr.Button(interactive=file is not None),
                source,
                lift,
                **_PRIVATE,
            )
            lift.click(
                self.lift,
                [source, *self.fields.values()],
                [*results],
                show_progress_on=results[1],
                concurrency_limit=_USERS,
                **_PRIVATE,
            )
            stop.click(self.stop, queue=False, **_PRIVATE)
            blocks.unload(self.leave)
        return blocks

    def _folder_of(self, request: gr.Request) -> Path:
        """Return the folder of a session; its name is hashed, as clients choose it."""
        name = hashlib.sha256(request.session_hash.encode()).hexdigest()
        return self._folder / f'{_SESSION}{name[:32]}'

    def keep(
        self, source: str | None, request: gr.Request, corrections: str | None = None
    ) -> None:
        """Remember a session's uploads, and delete the ones before.

        Visitors who upload the same file share it, until the last of them leaves.
        """
        session = self._folder_of(request)
        before = self._uploads.pop(session, [])
        self._uploads[session] = [Path(x) for x in (source, corrections) if x]
        for path in {*before} - {*chain(*self._uploads.values())}:
            path.unlink(missing_ok=True)

    def lift(
        self, request: gr.Request, source: str | None, *values: Any
    ) -> Iterator[tuple]:
        """Lift the upload with the values of the fields.

        Yields:
            tuple: HTML of the viewer, messages, and the paths of the results or None.
        """
        session = self._folder_of(request)
        if source is None or not Path(source).is_file():
            yield _NO_POSES, 'Upload a video, an image or 2D keypoints first.', None
            return
        out = _new_folder(session)
        given = dict(zip(self.fields, values, strict=True))
        process = self._start(session, self._command(source, out, given))
        state = session / 'progress'
        logs = session / 'stdout', session / 'stderr'
        deadline = time.monotonic() + 60 * _MINUTES
        try:
            while process.poll() is None and time.monotonic() < deadline:
                viewer = progress_html(state) or _STARTING
                yield viewer, _read(logs, out), None
                time.sleep(_PAUSE)
        finally:
            _end(process)
            # `stop` and `leave` have removed the run from the table.
            stopped = self._processes.pop(session, None) is None
        files = sorted(path for path in out.glob('*') if path.is_file())
        if process.returncode and (stopped or not files):
            # The last line on stderr is the error.
            *_, reason = ['failed', *_read(logs[1:], out).splitlines()]
            if time.monotonic() > deadline:
                reason = f'stopped: a run may take {_MINUTES} minutes at most'
            yield _NO_POSES, 'stopped' if stopped else reason, None
            return
        page = next((path for path in files if path.suffix == '.html'), None)
        viewer = _NO_POSES  # no person was found
        if page is not None:
            viewer = embed_page(page.read_text(encoding='utf-8'), '68vh')
        yield viewer, _read(logs, out), [str(path) for path in files]

    def _start(self, session: Path, command: list[str]) -> subprocess.Popen:
        """Start a run, which writes its progress and lines to files of the session."""
        state = session / 'progress'
        state.unlink(missing_ok=True)
        with (
            (session / 'stdout').open('wb') as stdout,
            (session / 'stderr').open('wb') as stderr,
        ):
            self._processes[session] = subprocess.Popen(
                python_command(_RUN, str(state), *command),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )
        return self._processes[session]

    def _command(self, source: str, out: Path, given: dict[str, Any]) -> list[str]:
        """Compose the command of a run with the values of the page's fields."""
        is_lift = has_keypoints(Path(source))
        kinds = LIFT_COMMAND.kinds if is_lift else INFER_COMMAND.kinds
        # The page shows .html, and other commands read .npz.
        formats = dict.fromkeys([*given['formats'], 'npz', 'html'])
        values = given | {'formats': formats, 'joints': ['24'] * bool(given['joints'])}
        if given['pose2d'] not in dict(_models()).values():
            values['pose2d'] = ''
        # Empty fields leave the options with which the page was started.
        texts = dict(self._options)
        for name, value in values.items():
            text = value if isinstance(value, str) else ','.join(value or ())
            texts[name] = text.strip() or texts.get(name, '')
        flags = (
            f'--{name.replace("_", "-")}={texts[name]}'
            for name in options_of(*kinds)
            if texts.get(name)
        )
        return ['lift' if is_lift else 'infer', source, f'--out-dir={out}', *flags]

    def stop(self, request: gr.Request) -> None:
        """End the run of a session."""
        process = self._processes.pop(self._folder_of(request), None)
        if process is not None:
            _end(process)

    def leave(self, request: gr.Request) -> None:
        """End the run of a session and delete its files."""
        self.stop(request)
        self.keep(None, request)
        del self._uploads[self._folder_of(request)]
        shutil.rmtree(self._folder_of(request), ignore_errors=True)


def _make_fields() -> dict[str, Any]:
    """Make the fields of options, by name."""
    narrow = dict(min_width=100, max_lines=1)
    formats = [
        (f'.{name}: {form.purpose}', name)
        for name, form in FORMATS.items()
        if form.requires is None or find_spec(form.requires[0]) is not None
    ]
    fields = {
        'formats': gr.Dropdown(
            formats, label='Files', value=['npz', 'html'], multiselect=True
        )
    }
    with gr.Row():
        fields['start'] = gr.Textbox(label='Start', placeholder='0:00', **narrow)
        fields['end'] = gr.Textbox(label='End', placeholder='the end', **narrow)
    with gr.Accordion('More', open=False):
        fields['people'] = gr.Textbox(
            label='People to lift',
            info='IDs that the viewer shows, such as 0,2. Empty: all.',
        )
        fields['height'] = gr.Textbox(
            label='Body height, meters', info='Empty: estimated by the model.'
        )
        fields['joints'] = gr.Checkbox(label='24 joints, with feet and hands')
        fields['speed'] = gr.Radio([*SPEEDS], value='default', label='Speed')
        fields['pose2d'] = gr.Dropdown(
            _models(), value='', label='2D model', filterable=False
        )
        fields['camera'] = gr.Radio(
            [('auto', ''), 'static', 'rotating', 'moving'], value='', label='Camera'
        )
        fields['corrections'] = gr.File(
            label='Corrections, which the viewer saves', file_types=['.json'], height=90
        )
    return fields


def _make_results() -> tuple[gr.HTML, gr.Textbox, gr.File]:
    """Make the viewer, the messages and the files of a run."""
    return (
        gr.HTML(_NO_POSES, elem_id='viewer'),
        gr.Textbox(label='Messages', elem_id='messages', interactive=False),
        gr.File(
            label='Results',
            elem_id='results',
            file_count='multiple',
            interactive=False,
        ),
    )


def _models() -> list[tuple[str, str]]:
    """List the 2D models that visitors may choose: labels and names."""
    models = [('as the page was started', ''), ('gtpt-t (shipped)', 'gtpt-t')]
    for name, file in NAMED_FILES.items():
        if file.task is POSE:
            detector = NAMED_FILES[file.detector].megabytes if file.detector else 0
            size = f'{file.megabytes + detector:.0f} MB'
            models.append((f'{name} ({size}, once)', name))
    return models


def _new_folder(session: Path) -> Path:
    """Make a folder of results in place of the last one, with its 2D keypoints."""
    session.mkdir(parents=True, exist_ok=True)
    out = Path(tempfile.mkdtemp(prefix='results-', dir=session))
    for before in session.glob('results-*'):
        if before != out:
            with suppress(FileNotFoundError):
                shutil.move(before / CACHE_FOLDER, out)
            shutil.rmtree(before)
    return out


def _end(process: subprocess.Popen) -> None:
    """Ask a process to end, and kill it if it does not."""
    process.terminate()
    try:
        process.wait(_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _read(logs: Iterable[Path], out: Path) -> str:
    """Read the lines of a run, except for lines that name its result files."""
    lines = []
    for log in logs:
        with suppress(FileNotFoundError):  # the session has ended
            lines += log.read_text(encoding='utf-8', errors='replace').splitlines()
    lines = [_in_words(line) for line in lines if str(out) not in line]
    return '\n'.join(line for line in lines if line)


def _in_words(line: str) -> str:
    """Say a line of the command line as the page would.

    Options get the names of the page's fields. Visitors know neither the command nor
    its folders nor other options, so these are left out, with the clause around them.
    """
    line = re.sub(r'^mmhot (infer|lift): (error: )?|(?<!\S)/\S*/', '', line)
    for name, field in _FIELDS.items():
        line = re.sub(rf'--{name}\b(?!-)', field, line)
    clauses = re.split(r'(?<=[;:,]) ', line)
    known = [clause for clause in clauses if '--' not in clause]
    return line if known == clauses else ' '.join(known).rstrip(';:, ')
