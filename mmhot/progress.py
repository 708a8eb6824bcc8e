"""Lines for the user and progress bars, one for each stage of a run."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module

from mmhot.errors import ArgumentError, escape, ignored_warnings

Line = str | ArgumentError
"""Line for the user; in an error, arguments are shown as options of the command."""
Count = Callable[[int, int], None]
"""Receives how many frames are done, and the number of all frames, 0 if unknown."""
CountStage = Callable[[str, int, int], None]
"""Receives the stage, such as '2D', and the numbers of :data:`Count`."""
Bars = Callable[..., AbstractContextManager[Count]]
"""Takes a title, and a unit where it is not frames, and opens a progress bar."""


def no_count(stage: str, done: int, total: int) -> None:
    """Show no progress of a stage."""


@contextmanager
def no_bar(title: str, unit: str = 'frame') -> Iterator[Count]:
    """Show no progress."""
    yield lambda done, total: None


@contextmanager
def text_bar(title: str, unit: str = 'frame') -> Iterator[Count]:
    """Draw a bar in a terminal or notebook; write a line every 30 s to other files.

    Args:
        title (str): Text before the bar.
        unit (str): What is counted. Defaults to frames.

    Yields:
        Count: Receives how many are done, and the number of all.
    """
    is_notebook = 'ipykernel' in sys.modules
    is_closed = sys.stderr is None  # in processes without a terminal
    with ignored_warnings():  # tqdm warns of notebooks without widgets
        # tqdm.auto also imports asyncio.
        tqdm = import_module('tqdm.auto' if is_notebook else 'tqdm').tqdm
    pace: dict[str, float] = dict(delay=5.0, mininterval=30.0, maxinterval=30.0)
    if is_closed:
        pace = dict(disable=True)
    elif is_notebook or sys.stderr.isatty():
        pace = {}
    with tqdm(desc=escape(title), unit=unit, leave=False, **pace) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total or None
            bar.update(done - bar.n)

        yield show


@contextmanager
def stage_bars(bars: Bars, name: str) -> Iterator[CountStage]:
    """Open a bar for each stage when it begins.

    Args:
        bars (Bars): Opens a bar.
        name (str): Name of the clip, for the titles.

    Yields:
        CountStage: Receives the progress of a stage; a new stage closes the last bar.
    """
    with ExitStack() as opened:
        shown = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in shown:
                opened.close()  # ends the bar of the last stage
                shown[stage] = opened.enter_context(bars(f'{name}: {stage}'))
            shown[stage](done, total)

        yield show


@dataclass(frozen=True)
class Report:
    """Where the lines and progress bars of a run appear; by default nowhere."""

    say: Callable[[Line], None] = lambda line: None
    bars: Bars = no_bar
