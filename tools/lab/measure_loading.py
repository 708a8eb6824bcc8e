"""Measure a training dataloader's samples per second, and its memory.

A GPU idles if it is faster than that. Memory is that of this process and its workers,
pages that they share counted once (on Linux). Batches follow the config, numbers of
workers the arguments; batches that are loaded while workers start do not count.
Example::

    python -m tools.lab.measure_loading CONFIG --workers 0 2 16
"""

import argparse
import multiprocessing
import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from mmhot import compat
from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.engine.runner import add_config_options, merge_options, setting
from mmhot.weights.config_files import read_config_file

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

_WARM_UP = 5  # batches of each worker


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--workers',
        type=int,
        nargs='+',
        default=[2],
        metavar='N',
        help='numbers of worker processes; 0 loads in this process (default: 2)',
    )
    parser.add_argument(
        '--batches', type=int, default=100, help='batches to measure (default: 100)'
    )
    add_config_options(parser)
    return parser.parse_args()


def measure(args: argparse.Namespace) -> None:
    """Print a line for each number of workers."""
    from mmengine.registry import init_default_scope
    from mmengine.runner import Runner

    if min(args.workers) < 0:
        raise ValueError(f'--workers must be at least 0, got {min(args.workers)}')
    if args.batches < 1:
        raise ValueError(f'--batches must be at least 1, got {args.batches}')
    compat.apply()
    config = read_config_file(args.config)
    merge_options(config, args.cfg_options)
    loader = setting(config, 'train_dataloader', 'CONFIG')
    init_default_scope(config.get('default_scope', 'mmpose'))
    print_line(f'{"workers":>7}{"samples/s":>12}{"batch":>8}{"MiB":>8}')
    for count in args.workers:
        loader.update(num_workers=count, persistent_workers=False)
        built = Runner.build_dataloader(loader, seed=0)
        rate, memory = measure_loader(built, count, args.batches)
        rate *= loader.batch_size
        size = '-' if memory is None else f'{memory / 2**20:.0f}'
        print_line(f'{count:>7}{rate:>12.0f}{loader.batch_size:>8}{size:>8}')
        del built


def measure_loader(
    loader: 'DataLoader', workers: int, batches: int
) -> tuple[float, int | None]:
    """Measure batches per second after a warm-up, and the memory at the end.

    Args:
        loader (DataLoader): The loader; is read for as many epochs as needed.
        workers (int): Its number of workers.
        batches (int): Batches to measure.

    Returns:
        tuple[float, int | None]: Batches per second, and bytes of this process and its
            workers; None where ``/proc`` does not show shared pages.
    """
    if not len(loader):
        raise ValueError(
            'CONFIG: train_dataloader has fewer samples than a batch; '
            'lower its batch_size'
        )
    stream = (batch for _ in iter(int, 1) for batch in loader)
    for _ in range(_WARM_UP * max(workers, 1)):
        next(stream)
    start = time.perf_counter()
    for _ in range(batches):
        next(stream)
    rate = batches / (time.perf_counter() - start)
    processes = [os.getpid(), *(x.pid for x in multiprocessing.active_children())]
    return rate, sum_memory(processes)


def sum_memory(processes: list[int]) -> int | None:
    """Return the bytes of some processes, shared pages once; None if not on Linux."""
    pages = [Path('/proc', str(process), 'smaps_rollup') for process in processes]
    if not all(page.is_file() for page in pages):
        return None
    found = (re.search(r'^Pss: +(\d+) kB', page.read_text(), re.M) for page in pages)
    return sum(1024 * int(match[1]) for match in found)


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('measure_loading.py', lambda: measure(args))


if __name__ == '__main__':
    sys.exit(main())
