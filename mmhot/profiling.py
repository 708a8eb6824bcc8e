"""Profile of a run: spans of its stages by thread, as a table and a Chrome trace."""

import json
import threading
import time
from collections import defaultdict
from contextlib import ContextDecorator
from pathlib import Path
from typing import NamedTuple

from mmhot.io.atomic import replacing

_active: 'Profile | None' = None
_stacks = threading.local()


class Span(NamedTuple):
    """A stage that ran once.

    Attributes:
        name (str): Name of the stage.
        thread (str): Name of its thread.
        start (float): Seconds since the start of the profile.
        seconds (float): Duration.
        own_seconds (float): Duration without that of spans within it.
        cpu_seconds (float): Time of its thread on a processor, without spans within it.
        items (int): Frames or people that it processed; 0 if they are not counted.
    """

    name: str
    thread: str
    start: float
    seconds: float
    own_seconds: float
    cpu_seconds: float
    items: int


class Stage(NamedTuple):
    """All spans of one name, summed; see :class:`Span`."""

    calls: int
    items: int
    seconds: float
    own_seconds: float
    cpu_seconds: float


class span(ContextDecorator):  # noqa: N801 (used as a function)
    """Record a block or function as a span of the active profile, if there is one.

    Args:
        name (str): Name of the stage.
        items (int): Frames or people that it processes. Defaults to 0, not counted.
    """

    def __init__(self, name: str, items: int = 0) -> None:
        self.name, self.items = name, items
        self.profile: Profile | None = None

    def _recreate_cm(self) -> 'span':
        """Return a new span for each call of a decorated function."""
        return span(self.name, self.items)

    def __enter__(self) -> 'span':
        self.profile = _active
        if self.profile is not None:
            self.within = self.within_cpu = 0.0
            self.outer = getattr(_stacks, 'innermost', None)
            _stacks.innermost = self
            self.start, self.cpu = time.perf_counter(), time.thread_time()
        return self

    def __exit__(self, *error: object) -> None:
        if self.profile is None:
            return
        seconds = time.perf_counter() - self.start
        cpu = time.thread_time() - self.cpu
        _stacks.innermost = self.outer
        if self.outer is not None:
            self.outer.within += seconds
            self.outer.within_cpu += cpu
        self.profile.spans.append(
            Span(
                self.name,
                threading.current_thread().name,
                self.start - self.profile.start,
                seconds,
                seconds - self.within,
                cpu - self.within_cpu,
                self.items,
            )
        )


class Profile:
    """Record the spans of all threads within a ``with`` block.

    Attributes:
        spans (list[Span]): Spans in the order in which they ended.
        start (float): Start, seconds of :func:`time.perf_counter`.
        seconds (float): Duration of the block.
        cpu_seconds (float): Time of all threads on processors in it, also of those
            that libraries start.

    Raises:
        RuntimeError: If another profile is recorded in this process.

    Example::

        with Profile() as profile:
            clip = mmhot.infer('walk.mp4')
        profile.save('walk.json')  # for https://ui.perfetto.dev
        profile.stages()['2D network'].own_seconds
    """

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.start = self.seconds = self.cpu_seconds = 0.0

    def __enter__(self) -> 'Profile':
        global _active
        if _active is not None:
            raise RuntimeError('another profile is recorded in this process')
        _active, self.start = self, time.perf_counter()
        self._cpu_start = time.process_time()
        return self

    def __exit__(self, *error: object) -> None:
        global _active
        _active, self.seconds = None, time.perf_counter() - self.start
        self.cpu_seconds = time.process_time() - self._cpu_start

    def stages(self) -> dict[str, Stage]:
        """Sum the spans of each name, those with the most own time first."""
        spans = defaultdict(list)
        for each in self.spans:
            spans[each.name].append(each)
        stages = {
            name: Stage(
                len(own),
                sum(each.items for each in own),
                *(sum(getattr(each, key) for each in own) for key in Stage._fields[2:]),
            )
            for name, own in spans.items()
        }
        return dict(sorted(stages.items(), key=lambda item: -item[1].own_seconds))

    def rows(self) -> list[list[str]]:
        """Tabulate the stages: cells of a header and of one line a stage."""
        heads = ['stage', 'calls', 'items', 'seconds', 'own', 'CPU', 'ms an item']
        rows = [heads]
        for name, stage in self.stages().items():
            each = f'{1e3 * stage.seconds / stage.items:.2f}' if stage.items else '-'
            numbers = (stage.seconds, stage.own_seconds, stage.cpu_seconds)
            rows.append(
                [
                    name,
                    str(stage.calls),
                    str(stage.items or '-'),
                    *(f'{value:.3f}' for value in numbers),
                    each,
                ]
            )
        whole = [f'{value:.3f}' for value in (self.seconds, self.cpu_seconds)]
        return [*rows, ['all', '-', '-', whole[0], '-', whole[1], '-']]

    def save(self, path: str | Path) -> None:
        """Write the spans as a Chrome trace, which https://ui.perfetto.dev opens."""
        numbers: dict[str, int] = {}
        events = [
            {
                'name': each.name,
                'cat': 'mmhot',
                'ph': 'X',
                'pid': 1,
                'tid': numbers.setdefault(each.thread, len(numbers) + 1),
                'ts': round(each.start * 1e6, 1),
                'dur': round(each.seconds * 1e6, 1),
                'args': {
                    'CPU ms': round(each.cpu_seconds * 1e3, 3),
                    **({'items': each.items} if each.items else {}),
                },
            }
            for each in sorted(self.spans, key=lambda each: each.start)
        ]
        names = [
            {
                'name': 'thread_name',
                'ph': 'M',
                'pid': 1,
                'tid': number,
                'args': {'name': thread},
            }
            for thread, number in numbers.items()
        ]
        content = {'traceEvents': [*names, *events], 'displayTimeUnit': 'ms'}
        with replacing(Path(path)) as temporary:
            temporary.write_text(json.dumps(content) + '\n', encoding='utf-8')
