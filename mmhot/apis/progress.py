"""Progress bars: one for each processing stage."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress

from mmhot.errors import escape

# Seconds between two lines, and the least that a stage with a line at its end takes.
_INTERVAL, _LEAST = 30.0, 5.0

Show = Callable[[int, int], None]
"""Takes frames done and frames in total, 0 if unknown."""
ShowStage = Callable[[str, int, int], None]
"""Takes the stage, frames done and frames in total."""
Bars = Callable[[str], AbstractContextManager[Show]]
"""Takes a title and opens a progress bar."""


@contextmanager
def no_bar(title: str) -> Iterator[Show]:
    """Show no progress."""
    yield lambda done, total: None


@contextmanager
def text_bar(title: str, unit: str = 'frame') -> Iterator[Show]:
    """Draw a bar on stderr; print lines where that is a file or pipe.

    Args:
        title (str): Text before the bar.
        unit (str): What is counted. Defaults to 'frame'.

    Yields:
        Callable: See :data:`Show`.
    """
    if not sys.stderr.isatty():
        with _lines(title, unit) as show:
            yield show
        return
    from tqdm import tqdm

    with tqdm(desc=title, unit=unit, leave=False) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total or None
            bar.update(done - bar.n)

        yield show


@contextmanager
def _lines(title: str, unit: str) -> Iterator[Show]:
    """Print a line every 30 seconds, and one at the end of what takes 5 and more."""
    begin = said = time.monotonic()
    reached = ''

    def say() -> None:
        seconds = time.monotonic() - begin
        with suppress(OSError, ValueError):  # a full disk, closed
            sys.stderr.write(f'{escape(title)}: {reached} in {seconds:.0f} s\n')
            sys.stderr.flush()

    def show(done: int, total: int) -> None:
        nonlocal said, reached
        reached = f'{done} of {total} {unit}s' if total else f'{done} {unit}s'
        if time.monotonic() - said >= _INTERVAL:
            said = time.monotonic()
            say()

    yield show
    if reached and time.monotonic() - begin >= _LEAST:
        say()


@contextmanager
def stage_bars(bars: Bars, name: str) -> Iterator[ShowStage]:
    """Open a bar for each stage when it begins.

    Args:
        bars (Bars): Opens a bar.
        name (str): Name of the clip, for the titles.

    Yields:
        Callable: See :data:`ShowStage`.
    """
    with ExitStack() as opened:
        shown = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in shown:
                opened.close()  # the stage before
                shown[stage] = opened.enter_context(bars(f'{name}: {stage}'))
            shown[stage](done, total)

        yield show
