"""Measure the data of a config: samples per second, and the workers that it needs.

One process makes samples, transform by transform. The process of the training receives
batches from a worker, and runs the model forward and backward. Workers make samples as
fast as the model needs them if there are enough. Example::

    python -m tools.benchmark data CONFIG --device cuda
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import chain, islice, repeat
from math import ceil
from statistics import fmean
from typing import Any

import torch
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch.utils.data import DataLoader

import mmhot.plugin  # noqa: F401 registers what configs name
from mmhot.weights.config_files import read_config_file
from mmhot.weights.loading import build_model
from mmhot.weights.names import config_of
from tools.benchmark.page import number_cell
from tools.benchmark.timing import clock_of
from tools.runner import add_config_options, merge_options, setting

_BATCHES = 4  # batches of a round


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the config and how the model runs."""
    parser.add_argument('config', help='config file')
    add_config_options(parser)
    parser.add_argument('--device', default='cpu', help='cpu or cuda (default: cpu)')


def measure(args: argparse.Namespace) -> list[list[str]]:
    """Time the making, receiving and use of samples."""
    config = read_config_file(config_of(args.config))
    merge_options(config, args.cfg_options)
    DefaultScope.get_instance('data', scope_name=config.get('default_scope', 'mmpose'))
    settings = setting(config, 'train_dataloader', 'config')
    one_process = dict(num_workers=0, persistent_workers=False)
    loader = Runner.build_dataloader({**settings, **one_process}, seed=0)
    of_worker = dict(num_workers=1, persistent_workers=True, dataset=loader.dataset)
    receiver = Runner.build_dataloader({**settings, **of_worker}, seed=0)
    model = build_model(config.model, config.filename).to(args.device).train()
    by_transform = watch_transforms(loader)
    made = time_batches(loader, args.rounds)
    received = time_batches(receiver, args.rounds)
    batch = next(iter(loader))
    train(model, batch)  # warms up
    used = min(train(model, batch) for _ in range(args.rounds)) / loader.batch_size
    seconds = {name: fmean(times) for name, times in by_transform.items()}
    seconds['made by one process'] = made
    seconds['received from a worker'] = received
    seconds[f'trained on, batches of {loader.batch_size}, {args.device}'] = used
    rows = [['one sample', 'ms', 'samples/s']]
    for name, mean in seconds.items():
        rows.append([name, number_cell(1e3 * mean), number_cell(1 / mean)])
    workers = ceil(made / max(used, received))
    rows.append([f'workers: {workers}, in the config {settings.num_workers}', '', ''])
    return rows


def watch_transforms(loader: DataLoader) -> dict[str, list[float]]:
    """Return the seconds of each call of a transform, by name; filled by the calls."""
    times: dict[str, list[float]] = defaultdict(list)

    def watch(transform: Callable) -> Callable[[dict], Any]:
        def call(results: dict) -> Any:
            start = time.process_time()
            made = transform(results)
            times[type(transform).__name__].append(time.process_time() - start)
            return made

        return call

    pipeline = loader.dataset.pipeline
    pipeline.transforms = [watch(transform) for transform in pipeline.transforms]
    return times


def time_batches(loader: DataLoader, rounds: int) -> float:
    """Return this process's seconds of a sample, the mean of some rounds of batches."""
    batches = chain.from_iterable(repeat(loader))
    next(batches)  # starts workers, and fills caches
    start = time.process_time()
    count = sum(len(batch['inputs']) for batch in islice(batches, rounds * _BATCHES))
    return (time.process_time() - start) / count


def train(model: torch.nn.Module, batch: dict) -> float:
    """Return the seconds of a forward and a backward pass of a batch."""
    device = next(model.parameters()).device
    clock = clock_of(device)
    start = clock()
    losses = model(**model.data_preprocessor(batch, True), mode='loss')
    model.parse_losses(losses)[0].backward()
    if device.type == 'cuda':
        torch.cuda.synchronize()
    return clock() - start
