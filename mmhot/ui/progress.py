"""Progress of a run in another process, through a file."""

import html
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmhot.io.atomic import replacing
from mmhot.progress import Bars, Count

_PACE = 0.2  # seconds between two states


def bars_to_file(path: Path) -> Bars:
    """Return progress bars that write their state to a file, as JSON."""

    @contextmanager
    def bar(title: str, unit: str = 'frame') -> Iterator[Count]:
        begin = time.monotonic()
        last = begin - _PACE

        def show(done: int, total: int) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last < _PACE and done < total:
                return
            last = now
            left = (now - begin) * (total - done) / done if done and total else None
            state = dict(title=title, unit=unit, done=done, total=total, left=left)
            with replacing(path) as temporary:
                temporary.write_text(json.dumps(state), encoding='utf-8')

        yield show

    return bar


def progress_html(path: Path) -> str:
    """Return HTML of a bar with the time left; empty before the first state."""
    try:
        state = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return ''
    done = state['done']
    total = state['total']
    left = state['left']
    of_total = f' of {total:g}' if total else ''
    text = f'{state["title"]}, {state["unit"]} {done:g}{of_total}'
    text = text if left is None else f'{text}, {left:.0f} s left'
    value = f' value="{done / total:.3f}"' if total else ''
    bar = f'<progress style="width: 100%"{value}></progress>'
    return f'<label>{html.escape(text)}{bar}</label>'
