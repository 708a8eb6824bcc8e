"""Processing of many inputs by Ray, on several processes and machines.

Ray starts the workers, schedules the inputs and restarts workers that died.
"""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any

from mmhot.chain.frames.inputs import ClipInput
from mmhot.chain.options import BatchOptions
from mmhot.chain.outcome import Outcome
from mmhot.chain.worker import ClipWorker
from mmhot.errors import ArgumentError, LineHandler, explain, import_extra, one_line
from mmhot.extensions import load_extensions
from mmhot.options import DeviceOptions, Values
from mmhot.progress import Line, Report

Say = Callable[[Line], None]
_LOGGER = logging.getLogger(__name__)


def process_with_ray(
    inputs: Sequence[ClipInput],
    values: Values,
    report: Report,
    make_worker: Callable[..., ClipWorker] = ClipWorker,
) -> Iterator[Outcome]:
    """Process inputs with Ray; yield outcomes in the order in which they finish.

    Args:
        inputs (Sequence[ClipInput]): Inputs.
        values (Values): Options.
        report (Report): Receives lines and progress.
        make_worker (Callable): Makes a worker from options and report.

    Yields:
        Outcome: The outcome of an input.

    Raises:
        ValueError: If an option is wrong, there is no cluster, or a model cannot be
            loaded.
    """
    device = values.of(DeviceOptions).device
    if device not in ('auto', 'cpu', 'cuda'):
        raise ArgumentError(
            "{device} must be cpu or cuda with {runner='ray'}, which assigns GPUs, "
            'got %r',
            device,
        )
    with _connected() as ray:
        actors = _start(ray, values, len(inputs), make_worker)
        try:
            # A model that one worker cannot load would fail in all of them.
            lines = ray.get(actors[0].prepare.remote())
        except ray.exceptions.RayTaskError as error:
            raise (error.cause or error) from None
        _repeat(lines, report.say)
        from ray.util import ActorPool

        outcomes = collect_outcomes(ray, ActorPool(actors), inputs, report.say)
        with report.bars('inputs', 'clip') as show:
            for number, outcome in enumerate(outcomes, 1):
                show(number, len(inputs))
                yield outcome


class RemoteWorker:
    """Worker in a process of Ray, which returns its lines instead of printing them.

    Args:
        make_worker (Callable): Makes a worker from options and report.
        values (Values): Options.
        folder (str): Working directory, to which relative paths belong.
    """

    def __init__(
        self, make_worker: Callable[..., ClipWorker], values: Values, folder: str
    ) -> None:
        load_extensions()  # options may name parts of extensions
        self._folder = folder
        # Lines with their levels in the log, 0 for those that the report receives
        self._lines: list[tuple[Line, int]] = []
        report = Report(say=lambda line: self._lines.append((line, 0)))
        self._make_worker = partial(make_worker, values, report)
        logger = logging.getLogger('mmhot')
        logger.addHandler(LineHandler(lambda *line: self._lines.append(line)))
        logger.setLevel(logging.INFO)  # this process only: the caller's log decides

    @cached_property
    def _worker(self) -> ClipWorker:
        os.chdir(self._folder)
        return self._make_worker()

    def prepare(self) -> list[tuple[Line, int]]:
        """Load the models; return the lines to print, with their levels."""
        self._worker  # noqa: B018, opened at first use
        return self._take_lines()

    def process(self, item: ClipInput) -> tuple[Outcome, list[tuple[Line, int]]]:
        """Process an input; return its outcome, and lines as :meth:`prepare` does."""
        return self._worker(item), self._take_lines()

    def _take_lines(self) -> list[tuple[Line, int]]:
        """Return the lines since the last call."""
        taken = self._lines
        self._lines = []
        return taken


def _repeat(lines: list[tuple[Line, int]], say: Say) -> None:
    """Print the lines of a worker in this process."""
    for line, level in lines:
        if level:
            _LOGGER.log(level, line)
        else:
            say(line)


@contextmanager
def _connected() -> Iterator[Any]:
    """Yield the module ``ray``, connected to RAY_ADDRESS or to a new cluster."""
    ray = import_extra('ray', 'the runner ray', 'ray')
    try:
        ray.init(log_to_driver=False, logging_level='ERROR')
    except (OSError, RuntimeError, ValueError) as error:
        place = os.environ.get('RAY_ADDRESS', 'this machine')
        raise ValueError(f'Ray does not start or answer ({place}): {error}') from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _start(
    ray: Any, values: Values, count: int, make_worker: Callable[..., ClipWorker]
) -> list[Any]:
    """Start workers for ``count`` inputs: as many as stated, or one a GPU or CPU."""
    resources = ray.cluster_resources()
    device = values.of(DeviceOptions).device
    num_gpus = int(resources.get('GPU', 0) > 0 and device != 'cpu')
    most = int(resources.get('GPU' if num_gpus else 'CPU', 0))
    num_workers = values.of(BatchOptions).num_workers or max(1, min(most, count))
    # A cluster may grow, so its size is not a limit.
    if num_workers > most and 'RAY_ADDRESS' not in os.environ:
        raise ArgumentError(
            '{num_workers} must be at most %s on this machine, got %s',
            most,
            num_workers,
        )
    actor = ray.remote(RemoteWorker).options(
        num_cpus=1, num_gpus=num_gpus, max_restarts=-1, max_task_retries=2
    )
    return [actor.remote(make_worker, values, os.getcwd()) for _ in range(num_workers)]


def collect_outcomes(
    ray: Any, pool: Any, inputs: Sequence[ClipInput], say: Say
) -> Iterator[Outcome]:
    """Process all inputs with a pool of workers, and yield their outcomes.

    Args:
        ray (module): The module ``ray``.
        pool (ray.util.ActorPool): The workers.
        inputs (Sequence[ClipInput]): Inputs.
        say (Callable): Receives the lines of the workers.

    Yields:
        Outcome: The outcome of an input; also of inputs whose worker died.
    """
    waiting = {item.name: None for item in inputs}
    reason = ''
    for item in inputs:
        pool.submit(lambda actor, clip: actor.process.remote(clip), item)
    while pool.has_next():
        try:
            outcome, lines = pool.get_next_unordered()
        except ray.exceptions.RayError as error:
            cause = getattr(error, 'cause', None) or error
            reason = explain(cause) or one_line(cause)
            continue
        _repeat(lines, say)
        del waiting[outcome.name]
        yield outcome
    for name in waiting:
        yield Outcome(name, error=f'its worker failed: {reason:.300}')
