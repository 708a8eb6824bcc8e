"""Background thread that lifts one input for the page, and its progress as HTML."""

import shlex
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from mmhot.apis.option_fields import command_words
from mmhot.apis.options import InferRunOptions
from mmhot.errors import explain_any

# Seconds between two updates of the page.
_INTERVAL = 0.25
_STAGES = {'2D': 'People in 2D', '3D': 'Poses in 3D'}


class _StoppedError(ValueError):
    """The user stopped the run."""


@dataclass
class Progress:
    """State of a run.

    Attributes:
        stages (dict[str, tuple[int, int]]): Frames done and frames in total (0 if
            unknown) of each stage, in their order.
        notes (list[str]): Lines for the user.
        done (bool): Whether the run has ended.
        error (str): Reason of a failure in one line; empty on success.
        files (list[Path]): Results.
    """

    stages: dict[str, tuple[int, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    done: bool = False
    error: str = ''
    files: list[Path] = field(default_factory=list)


def shown_command(source: str, options: Mapping[str, Any]) -> str:
    """Return the equivalent command for a terminal, without defaults.

    Args:
        source (str): Name of the input.
        options (Mapping[str, Any]): Values of
            :class:`mmhot.apis.options.InferRunOptions`.
    """
    shown = {**options, 'out_dir': 'results'}
    if shown.get('intrinsics'):
        shown['intrinsics'] = Path(shown['intrinsics']).name
    words = command_words(InferRunOptions, shown)
    return shlex.join(['mmhot', 'infer', source, *words])


class LiftingRun:
    """Lifts one input into a folder.

    Args:
        source (Path): Input.
        folder (Path): Existing folder for the results, with no other files.
        options (Mapping[str, Any]): Values of
            :class:`mmhot.apis.options.InferRunOptions`, without the folder.
    """

    def __init__(self, source: Path, folder: Path, options: Mapping[str, Any]) -> None:
        self.folder = folder
        self._source, self._values = source, options
        self._progress = Progress()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._discarded = False

    def stop(self) -> None:
        """Stop the run at the next frame."""
        self._stopping.set()

    def wait(self) -> None:
        """Wait for the end of the run if it has started."""
        if self._thread.is_alive():
            self._thread.join()

    def discard(self) -> None:
        """Stop the run and delete its folder, at once or when it has stopped."""
        self.stop()
        with self._lock:
            self._discarded = True
            if self._progress.done or not self._thread.is_alive():
                shutil.rmtree(self.folder, ignore_errors=True)

    def __iter__(self) -> Iterator[Progress]:
        """Start the run; yield its progress until it has ended."""
        with self._lock:
            if not self._discarded:
                self._thread.start()
        try:
            while self._thread.is_alive():
                self._thread.join(_INTERVAL)
                if self._thread.is_alive():
                    yield self._copy_progress()
            yield self._copy_progress()
        finally:
            self.stop()  # the page was closed

    def _copy_progress(self) -> Progress:
        with self._lock:
            return deepcopy(self._progress)

    def _run(self) -> None:
        try:
            error = self._lift()
        except Exception as caught:  # the page shows all errors
            error = explain_any(caught)
        with self._lock:
            self._progress.done, self._progress.error = True, error
            if self._discarded:
                shutil.rmtree(self.folder, ignore_errors=True)
            self._progress.files = sorted(
                path for path in self.folder.glob('*') if path.is_file()
            )

    def _lift(self) -> str:
        """Lift the input; returns the reason of a failure."""
        options = InferRunOptions(**self._values, out_dir=self.folder, no_cache=True)

        from mmhot.apis.clip_worker import ClipWorker
        from mmhot.io.results import check_targets, result_files
        from mmhot.video.inputs import find_inputs

        (item,) = find_inputs([str(self._source)], options.fps)
        files = result_files(self.folder, item.name, options.formats)
        check_targets([(item.path, files)], [item.path, *options.files])
        worker = ClipWorker(options, self._note, self._note, bars=self._bar)
        return worker(item).error

    def _note(self, line: str) -> None:
        # the page lists the files itself
        if str(self.folder) not in line:
            with self._lock:
                self._progress.notes.append(line)

    @contextmanager
    def _bar(self, title: str) -> Iterator[Callable[[int, int], None]]:
        stage = title.rpartition(': ')[2]

        def show(done: int, total: int) -> None:
            if self._stopping.is_set():
                raise _StoppedError('stopped')
            with self._lock:
                self._progress.stages[stage] = done, total

        with self._lock:
            self._progress.stages[stage] = 0, 0
        yield show


def describe_progress(progress: Progress, command: str) -> str:
    """Show stages with bars, notes, the error, and the equivalent command.

    Args:
        progress (Progress): Progress of a run.
        command (str): Command for a terminal.

    Returns:
        str: HTML, in which text of users and files is escaped.
    """
    parts = []
    if progress.error:
        parts.append(describe_error(progress.error))
    rows = [
        _stage_row(name, *counts, progress.done)
        for name, counts in progress.stages.items()
    ]
    if rows:
        parts.append(f'<div class="stages">{"".join(rows)}</div>')
    elif not progress.done:
        parts.append('<p>loading the models ...</p>')
    parts += [f'<p class="note">{escape(note)}</p>' for note in progress.notes]
    if progress.done and not progress.error:
        code = f'<code>{escape(command)}</code>'
        parts.append(f'<p class="note">The same command: {code}</p>')
    return ''.join(parts)


def describe_error(text: str) -> str:
    """Format an error as HTML; empty text stays empty."""
    return f'<div class="error" role="alert">{escape(text)}</div>' if text else ''


def _stage_row(stage: str, done: int, total: int, has_ended: bool) -> str:
    name = escape(_STAGES.get(stage, f'Write {stage}'))
    if has_ended:
        total = total or 1
        done = done or total
    percent = 100 * min(done, total) // total if total else 0
    count = f'{done} / {total}' if total > 1 else ''
    return (
        f'<span>{name}</span><div class="bar" role="progressbar" aria-label="{name}" '
        f'aria-valuenow="{percent}"><div style="width: {percent}%"></div></div>'
        f'<span>{count}</span>'
    )
