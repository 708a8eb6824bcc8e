"""Progress bars: one for each processing stage."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial

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
def text_bar(title: str, only_in_terminals: bool = True) -> Iterator[Show]:
    """Draw a bar on stderr.

    Args:
        title (str): Text before the bar.
        only_in_terminals (bool): Whether files and pipes get none.

    Yields:
        Callable: See :data:`Show`.
    """
    from tqdm import tqdm

    disable = None if only_in_terminals else False
    with tqdm(desc=title, unit='frame', disable=disable, leave=False) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total or None
            bar.update(done - bar.n)

        yield show


always_bar: Bars = partial(text_bar, only_in_terminals=False)


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
                shown[stage] = opened.enter_context(bars(f'{name}: {stage}'))
            shown[stage](done, total)

        yield show
