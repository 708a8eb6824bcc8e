"""Processing of many inputs by Ray, on several processes and machines.

Ray starts the workers, schedules the inputs and restarts workers that died.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from mmhot.apis.clip_worker import ClipWorker, Outcome
from mmhot.apis.options import InferRunOptions, RayOptions
from mmhot.apis.progress import no_bar, text_bar
from mmhot.compat.installation import import_extra
from mmhot.errors import explain
from mmhot.video.inputs import ClipInput

Say = Callable[[str], None]


def process_with_ray(
    inputs: Sequence[ClipInput],
    options: InferRunOptions,
    ray_options: RayOptions,
    say: Say,
    complain: Say,
    quiet: bool = False,
    make_worker: Callable[..., ClipWorker] = ClipWorker,
) -> Iterator[Outcome]:
    """Process inputs with Ray.

    Args:
        inputs (Sequence[ClipInput]): Inputs.
        options (InferRunOptions): Options of ``mmhot infer``.
        ray_options (RayOptions): Cluster, workers, attempts.
        say (Callable): Receives lines for the user.
        complain (Callable): Receives warnings.
        quiet (bool): Whether to show no progress bar. Defaults to False.
        make_worker (Callable): Builds the worker of a process.

    Yields:
        Outcome: Outcome of each input, in the order in which they finish.

    Raises:
        ValueError: If Ray is missing, the cluster is not found or too small, or a
            model cannot be loaded.
    """
    with _connected(ray_options.address) as ray:
        make = partial(make_worker, options)
        actors = _start(ray, options.device, ray_options, len(inputs), make)
        try:
            with_2d = not all(item.has_keypoints for item in inputs)
            # a model that one worker cannot load fails for all of them
            lines, _ = ray.get(actors[0].prepare.remote(with_2d))
        except ray.exceptions.RayTaskError as error:
            raise (error.cause or error) from None
        for line in lines:
            say(line)
        from ray.util import ActorPool

        outcomes = collect_outcomes(
            ray, ActorPool(actors), inputs, ray_options.retries, say, complain
        )
        bar = no_bar('') if quiet else text_bar('inputs', 'clip')
        with bar as show:
            for number, outcome in enumerate(outcomes, 1):
                show(number, len(inputs))
                yield outcome


class _RemoteWorker:
    """Worker in a process of Ray, and the lines that it prints."""

    def __init__(self, make: Callable[..., ClipWorker], folder: str) -> None:
        self._folder = folder
        self._lines: list[str] = []
        self._warnings: list[str] = []
        self._worker = make(say=self._lines.append, complain=self._warnings.append)

    def prepare(self, with_2d: bool) -> tuple[list[str], list[str]]:
        """Load the models; returns lines for the user and warnings."""
        os.chdir(self._folder)
        self._worker.prepare(with_2d)
        return self._take_lines()

    def process(self, item: ClipInput) -> tuple[Outcome, list[str], list[str]]:
        """Process an input; returns lines for the user and warnings, too."""
        os.chdir(self._folder)
        return self._worker(item), *self._take_lines()

    def _take_lines(self) -> tuple[list[str], list[str]]:
        taken = self._lines.copy(), self._warnings.copy()
        self._lines.clear()
        self._warnings.clear()
        return taken


@contextmanager
def _connected(address: str | None) -> Iterator[Any]:
    """Yield the module ``ray``, connected to a cluster."""
    ray = import_extra('ray', "runner='ray'", 'ray')
    try:
        ray.init(address=address, log_to_driver=False, logging_level='ERROR')
    except (OSError, RuntimeError, ValueError) as error:
        place = address or os.environ.get('RAY_ADDRESS', 'this machine')
        raise ValueError(f'address: no Ray cluster at {place}: {error}') from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _start(
    ray: Any, device: str | None, options: RayOptions, count: int, make: Callable
) -> list[Any]:
    """Start the workers, as many as fit unless their number is given."""
    resources = ray.cluster_resources()
    num_cpus, num_gpus = options.cpus_per_worker, options.gpus_per_worker
    if num_gpus is None:
        num_gpus = float(resources.get('GPU', 0) > 0 and device != 'cpu')
    if device == 'cuda' and not num_gpus:
        raise ValueError(
            "device='cuda' needs GPUs: the cluster has none, or gpus_per_worker is 0"
        )
    most = int(resources.get('CPU', 0) / num_cpus)
    if num_gpus:
        most = min(most, int(resources.get('GPU', 0) / num_gpus))
    num_workers = options.num_workers or max(1, min(most, count))
    # a cluster may grow
    if num_workers > most and options.address is None:
        raise ValueError(
            f'num_workers must be at most {most} on this machine, with {num_cpus:g} '
            f'CPUs and {num_gpus:g} GPUs each; got {num_workers}'
        )
    actor = ray.remote(_RemoteWorker).options(
        num_cpus=num_cpus,
        num_gpus=num_gpus,
        max_restarts=-1,
        max_task_retries=options.retries,
    )
    return [actor.remote(make, os.getcwd()) for _ in range(num_workers)]


def collect_outcomes(
    ray: Any,
    pool: Any,
    inputs: Sequence[ClipInput],
    retries: int,
    say: Say,
    complain: Say,
) -> Iterator[Outcome]:
    """Process all inputs with a pool of workers; retry those that fail.

    Args:
        ray (ModuleType): The module, for its exceptions.
        pool (ray.util.ActorPool): Workers.
        inputs (Sequence[ClipInput]): Inputs with unique names.
        retries (int): Further attempts at each input.
        say (Callable): Receives lines for the user.
        complain (Callable): Receives warnings.

    Yields:
        Outcome: Outcome of each input.
    """
    waiting = {item.name: item for item in inputs}
    failures, reason = Counter(), ''

    def submit(item: ClipInput) -> None:
        pool.submit(lambda actor, given: actor.process.remote(given), item)

    for item in inputs:
        submit(item)
    while pool.has_next():
        try:
            outcome, lines, warnings = pool.get_next_unordered()
        except ray.exceptions.RayError as error:
            reason = explain(getattr(error, 'cause', None) or error)
            continue
        for line in lines:
            say(line)
        for line in warnings:
            complain(line)
        failures[outcome.name] += bool(outcome.error)
        if outcome.error and failures[outcome.name] <= retries:
            complain(f'{outcome.name}: {outcome.error}; trying again')
            submit(waiting[outcome.name])
            continue
        del waiting[outcome.name]
        yield outcome
    for name in waiting:
        yield Outcome(name, error=f'its worker failed: {reason:.300}')
