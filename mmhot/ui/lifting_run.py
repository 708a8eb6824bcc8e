"""One run of ``mmhot infer`` on behalf of the page, in a thread of its own."""

import argparse
import shlex
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from mmhot.cli import infer
from mmhot.cli.errors import OneLineParser, explain, is_user_error

# Seconds between two looks at what has been done.
_STEP = 0.25
_LOADING = 'loading the models'


class _StoppedError(ValueError):
    """Somebody wants no more of it."""


class _Parser(OneLineParser):
    """``mmhot infer``'s parser, which raises errors."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


@dataclass
class Progress:
    """How far a run is.

    Attributes:
        doing (str): What goes on while no stage has begun.
        stages (dict[str, tuple[int, int]]): Frames done and frames in total (0 if
            unknown) of each stage, in their order.
        notes (list[str]): What people may want to know.
        done (bool): Whether the run has ended.
        error (str): Why it failed, in one line; empty if it did not.
        files (list[Path]): Results.
    """

    doing: str = _LOADING
    stages: dict[str, tuple[int, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    done: bool = False
    error: str = ''
    files: list[Path] = field(default_factory=list)


def command_line(source: str, options: Mapping[str, Any]) -> list[str]:
    """Write options as ``mmhot infer`` takes them.

    Args:
        source (str): The input.
        options (Mapping[str, Any]): By name, with ``_`` for ``-``. None and False are
            left out, True is the option alone, lists are joined by commas.

    Returns:
        list[str]: Arguments after ``mmhot infer``.
    """
    words = [source]
    for name, value in options.items():
        flag = f'--{name.replace("_", "-")}'
        if value is None or value is False or value == '':
            continue
        if value is True:
            words.append(flag)
        elif isinstance(value, list | tuple):
            words += [flag, ','.join(value)]
        else:
            words += [flag, f'{value:g}' if isinstance(value, float) else str(value)]
    return words


def shown_command(source: str, options: Mapping[str, Any]) -> str:
    """The command for a terminal that does the same; defaults are left out."""
    usual = _parser().get_default
    told = {name: v for name, v in options.items() if v != usual(name)}
    if 'intrinsics' in told:
        told['intrinsics'] = Path(told['intrinsics']).name
    words = command_line(source, {**told, 'out_dir': 'results'})
    return shlex.join(['mmhot', 'infer', *words])


def _parser() -> _Parser:
    parser = _Parser(prog='mmhot infer', add_help=False)
    infer.add_arguments(parser)
    parser.add_argument('--device')
    return parser


def parse(words: list[str]) -> argparse.Namespace:
    """Read ``mmhot infer``'s arguments.

    Raises:
        ValueError: What is wrong with them, in one line.
    """
    parser = _parser()
    args = parser.parse_args(words)
    args.quiet, args.say = True, lambda line: None
    infer.check_options(args)
    return args


class LiftingRun:
    """Lifts one input into a folder.

    Args:
        source (Path): The input.
        folder (Path): For the results; it exists.
        options (Mapping[str, Any]): See :func:`command_line`.
    """

    def __init__(self, source: Path, folder: Path, options: Mapping[str, Any]) -> None:
        self._source, self._folder = source, folder
        self._options = {**options, 'out_dir': folder, 'no_cache': True}
        self._progress = Progress()
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End the run at the next frame."""
        self._stopping.set()

    def __iter__(self) -> Iterator[Progress]:
        """Start, and tell again and again how far it is, until it is done."""
        thread = threading.Thread(target=self._work, name='mmhot-ui-run', daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                thread.join(_STEP)
                if thread.is_alive():
                    yield self.progress
            yield self.progress
        finally:
            self.stop()  # nobody looks any more

    @property
    def progress(self) -> Progress:
        """A copy of how far it is."""
        with self._lock:
            return deepcopy(self._progress)

    def _work(self) -> None:
        error = ''
        try:
            error = self._lift()
        except Exception as caught:
            error = explain(caught)
            if not is_user_error(caught):
                error = f'{type(caught).__name__}: {error}'
        with self._lock:
            self._progress.done, self._progress.error = True, error
            # none if the page was closed meanwhile
            self._progress.files = sorted(
                path for path in self._folder.glob('*') if path.is_file()
            )

    def _lift(self) -> str:
        """Returns what went wrong."""
        args = parse(command_line(str(self._source), self._options))

        from mmhot.apis.clip_worker import ClipWorker
        from mmhot.video.inputs import find_inputs

        (item,) = find_inputs(args.inputs, args.fps)
        worker = ClipWorker(args, self._note, self._note, bars=self._bars)
        return worker(item).error

    def _note(self, line: str) -> None:
        # which files there are is shown by the page
        if str(self._folder) not in line:
            with self._lock:
                self._progress.notes.append(line)

    @contextmanager
    def _bars(self, title: str, quiet: bool) -> Iterator[Callable[[int, int], None]]:
        stage = title.rpartition(': ')[2]

        def show(done: int, total: int) -> None:
            if self._stopping.is_set():
                raise _StoppedError('stopped')
            with self._lock:
                self._progress.stages[stage] = done, total

        with self._lock:
            self._progress.stages[stage] = 0, 0
        yield show
