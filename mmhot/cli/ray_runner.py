"""Inputs of `mmhot infer` on many processes and machines, by Ray.

Ray starts the workers, deals inputs out and starts again what died; here is only what
a worker does and what is tried again.
"""

import argparse
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from mmhot.cli.errors import explain

_INSTALL = "pip install 'mmhot[ray]'"
_OF_RAY = ('address', 'num_workers', 'gpus_per_worker')


def add_runner_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options that say where inputs are worked on."""
    parser.add_argument(
        '--runner',
        choices=('local', 'ray'),
        default='local',
        help='local: one input after the other; ray: many at once (default: local)',
    )
    parser.add_argument(
        '--address',
        metavar='HOST:PORT',
        help='running Ray cluster, or auto (default: start one on this machine)',
    )
    parser.add_argument(
        '--num-workers',
        type=int,
        metavar='N',
        help='inputs at once with Ray (default: as many as there are CPUs or GPUs for)',
    )
    parser.add_argument(
        '--cpus-per-worker',
        type=float,
        default=1,
        metavar='N',
        help='CPU cores for each (default: 1)',
    )
    parser.add_argument(
        '--gpus-per-worker',
        type=float,
        metavar='N',
        help='GPUs for each, 0.5 for two on one (default: 1 where there are any)',
    )
    parser.add_argument(
        '--retries',
        type=int,
        default=2,
        metavar='N',
        help='how often Ray tries an input again that failed (default: 2)',
    )


def check_runner_options(args: argparse.Namespace) -> None:
    """Refuse values before anything is read."""
    if args.runner != 'ray':
        for name in _OF_RAY:
            if getattr(args, name) is not None:
                option = f'--{name.replace("_", "-")}'
                raise ValueError(f'{option} needs --runner ray')
        return
    if args.num_workers is not None and args.num_workers < 1:
        raise ValueError(f'--num-workers must be at least 1, got {args.num_workers}')
    if args.cpus_per_worker <= 0:
        raise ValueError(
            f'--cpus-per-worker must be above 0, got {args.cpus_per_worker:g}'
        )
    if args.gpus_per_worker is not None and args.gpus_per_worker < 0:
        raise ValueError(
            f'--gpus-per-worker must be at least 0, got {args.gpus_per_worker:g}'
        )
    if args.retries < 0:
        raise ValueError(f'--retries must be at least 0, got {args.retries}')
    if args.device not in (None, 'cpu', 'cuda'):
        raise ValueError(
            '--device must be cpu or cuda with --runner ray, which deals GPUs out, '
            f'got {args.device!r}'
        )


def run_with_ray(
    args: argparse.Namespace,
    inputs: list,
    complain: Callable[[str], None],
    run: str,
    worker: Callable | None = None,
) -> Iterator:
    """Outcomes of the inputs, worked on by Ray.

    Args:
        args (argparse.Namespace): Options of ``mmhot infer``.
        inputs (list[ClipInput]): What is to be done.
        complain (Callable): Told what goes wrong on the way.
        run (str): Names the run; what was finished in it is not done again.
        worker (Callable, optional): Makes what works on an input; by default
            :class:`mmhot.apis.clip_worker.ClipWorker`.

    Yields:
        Outcome: Of each input, as they are finished.
    """
    from tqdm import tqdm

    from mmhot.apis.clip_worker import ClipWorker

    with _cluster(args) as ray:
        quiet = argparse.Namespace(**{**vars(args), 'quiet': True, 'run': None})
        quiet.say = None
        make = partial(worker or ClipWorker, quiet, run=run)
        pool, first = _start(ray, args, len(inputs), partial(_Worker, make))
        with_2d = not all(item.has_keypoints for item in inputs)
        for line in _prepare(ray, first, with_2d):
            args.say(line)
        bar = tqdm(
            total=len(inputs), unit='clip', disable=args.quiet or None, leave=False
        )
        with bar:
            for outcome in _outcomes(ray, pool, inputs, args, complain):
                bar.update()
                yield outcome


class _Worker:
    """What runs in a process of Ray's: a worker, and what it says.

    Args:
        make (Callable): Makes the worker, given two functions that it tells what
            people may want to know and what is wrong.
        folder (str): Where relative paths begin.
    """

    def __init__(self, make: Callable, folder: str) -> None:
        self._said: list[str] = []
        self._complaints: list[str] = []
        self._worker = make(say=self._said.append, complain=self._complaints.append)
        self._folder = folder

    def prepare(self, with_2d: bool) -> list[str]:
        """Load the models; what they are."""
        os.chdir(self._folder)
        self._worker.prepare(with_2d)
        return self._taken()[0]

    def work(self, item: Any) -> tuple[Any, list[str], list[str]]:
        """An input's outcome, and what was said."""
        os.chdir(self._folder)
        return self._worker(item), *self._taken()

    def _taken(self) -> tuple[list[str], list[str]]:
        taken = self._said.copy(), self._complaints.copy()
        self._said.clear()
        self._complaints.clear()
        return taken


@contextmanager
def _cluster(args: argparse.Namespace) -> Iterator:
    """Yield Ray, connected to the cluster."""
    try:
        import ray
    except ImportError as error:
        raise ValueError(f'--runner ray needs Ray: {_INSTALL}') from error
    options = {'log_to_driver': False, 'logging_level': 'ERROR'}
    if args.address is None and 'RAY_ADDRESS' not in os.environ:
        options['include_dashboard'] = False
    try:
        ray.init(address=args.address, **options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = args.address or os.environ.get('RAY_ADDRESS', 'this machine')
        raise ValueError(f'--runner ray: no Ray cluster at {where}: {error}') from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _start(ray: Any, args: argparse.Namespace, count: int, worker: Callable) -> tuple:
    """Start the workers; returns their pool and one of them."""
    from ray.util import ActorPool

    there = ray.cluster_resources()
    gpus = args.gpus_per_worker
    if gpus is None:
        gpus = float(there.get('GPU', 0) > 0 and args.device != 'cpu')
    if args.device == 'cuda' and not gpus:
        raise ValueError(
            '--device cuda: the cluster has no GPU, or --gpus-per-worker 0'
        )
    room = int(there.get('CPU', 0) / args.cpus_per_worker)
    if gpus:
        room = min(room, int(there.get('GPU', 0) / gpus))
    wanted = args.num_workers or max(1, min(room, count))
    if wanted > room and args.address is None:
        raise ValueError(
            f'--num-workers {wanted}: this machine has room for {room} of '
            f'{args.cpus_per_worker:g} CPUs and {gpus:g} GPUs'
        )
    actor = ray.remote(worker.func).options(
        num_cpus=args.cpus_per_worker,
        num_gpus=gpus,
        max_restarts=-1,
        max_task_retries=args.retries,
    )
    actors = [actor.remote(*worker.args, os.getcwd()) for _ in range(wanted)]
    return ActorPool(actors), actors[0]


def _prepare(ray: Any, actor: Any, with_2d: bool) -> list[str]:
    """Load one worker's models: what is wrong with one is wrong with all."""
    try:
        return ray.get(actor.prepare.remote(with_2d))
    except ray.exceptions.RayTaskError as error:
        raise (error.cause or error) from None


def _outcomes(
    ray: Any,
    pool: Any,
    inputs: list,
    args: argparse.Namespace,
    complain: Callable[[str], None],
) -> Iterator:
    """Let the pool work on everything, and on what failed again."""
    from mmhot.apis.clip_worker import Outcome

    waiting = {item.name: item for item in inputs}
    failures, reason = Counter(), ''

    def submit(item: Any) -> None:
        pool.submit(lambda actor, given: actor.work.remote(given), item)

    for item in inputs:
        submit(item)
    while pool.has_next():
        try:
            outcome, said, complaints = pool.get_next_unordered()
        except ray.exceptions.RayError as error:
            reason = explain(getattr(error, 'cause', None) or error)
            continue
        for line in said:
            args.say(line)
        for line in complaints:
            complain(line)
        failures[outcome.name] += bool(outcome.error)
        if outcome.error and failures[outcome.name] <= args.retries:
            complain(f'{outcome.name}: {outcome.error}; it is tried again')
            submit(waiting[outcome.name])
            continue
        del waiting[outcome.name]
        yield outcome
    for name in waiting:
        yield Outcome(name, error=f'its worker failed: {reason:.300}')
