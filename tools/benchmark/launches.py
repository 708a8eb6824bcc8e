"""What a GPU would wait for, by profile on a CPU: launched kernels, imports.

A kernel is a call of an operator that makes no view. Launching one takes the main
thread some 10 microseconds, for which small networks wait, unless they run as CUDA
graphs. Rows are a call of each network with one input and, with ``--data-root``, a
training step of GTPT-T; then the seconds in which a new process imports the packages of
the PyTorch back end.
"""

import argparse
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS
from torch.utils._python_dispatch import TorchDispatchMode

from mmhot.weights.config_files import read_config_file
from mmhot.weights.loading import build_model
from tools.benchmark.model_specs import MODELS, build_spec, parse_spec

_NETWORKS = ('rtmpose-m', 'hrnet-w32', 'gtpt-t', 'gtpt-s', 'gtpt-b')
_TRAINED = 'gtpt-t'
_BATCH = 8
# Operators that only describe memory, or reserve it.
_FREE = re.compile(r'empty|detach|alias|lift_fresh|record_function|_unsafe_view')
_IMPORT = re.compile(r'import time: +(\d+) \| +\d+ \| +(\w+)')
# Packages with less are one row, seconds.
_LEAST = 0.1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the data of the training step."""
    text = 'folder of COCO (annotations/, train2017/), for a training step'
    parser.add_argument('--data-root', type=Path, metavar='FOLDER', help=text)


def measure(args: argparse.Namespace) -> list[dict]:
    """Count the launches of networks and a training step; time the imports."""
    rows = [_count_network(name) for name in _NETWORKS]
    if args.data_root is not None:
        rows += _count_step(args.data_root)
    return [*rows, *_time_imports()]


class LaunchCounter(TorchDispatchMode):
    """Counts operators that run within it.

    Attributes:
        count (int): Calls that launch a kernel.
    """

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        """Count and run an operator."""
        aliases = [each.alias_info for each in func._schema.returns]
        is_view = any(alias is not None and not alias.is_write for alias in aliases)
        self.count += not (is_view or _FREE.search(func._schema.name))
        return func(*args, **(kwargs or {}))


def count_launches(call: Callable[[], Any]) -> int:
    """Count the kernels that a call launches."""
    with LaunchCounter() as counter:
        call()
    return counter.count


def _count_network(name: str) -> dict:
    built = build_spec(parse_spec(name))
    inputs = built.inputs(1)
    with torch.inference_mode():
        built(inputs)  # keeps what it needs only once
        count = count_launches(lambda: built(inputs))
    return {'what': f'call of {name}', 'launches': count}


def _count_step(data_root: Path) -> list[dict]:
    """Count the parts of a training step, as MMEngine runs it."""
    init_default_scope('mmpose')
    config = read_config_file(MODELS[_TRAINED])
    config.train_dataloader.dataset.data_root = str(data_root)
    dataset = DATASETS.build(config.train_dataloader.dataset)
    model = build_model(config.model, _TRAINED).train()
    data = pseudo_collate([dataset[k % len(dataset)] for k in range(_BATCH)])
    losses: dict[str, Any] = {}

    def forward() -> None:
        found = model(**model.data_preprocessor(data, True), mode='loss')
        losses['all'] = model.parse_losses(found)[0]

    parts = {'forward': forward, 'backward': lambda: losses['all'].backward()}
    rows = []
    for name, call in parts.items():
        what = f'training step of {_TRAINED}: {name}'
        rows.append({'what': what, 'launches': count_launches(call)})
    return rows


def _time_imports() -> list[dict]:
    """Return CPU seconds of the imports of the PyTorch back end, by package."""
    code = 'import mmhot.plugin, mmhot.pose2d.mmpose_models'
    command = [sys.executable, '-X', 'importtime', '-c', code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = Counter[str]()
    for own, package in _IMPORT.findall(done.stderr):
        seconds[package] += int(own) / 1e6
    rows = [('all', seconds.total())]
    rows += [item for item in seconds.most_common() if item[1] >= _LEAST]
    return [{'what': f'import of {name}', 'seconds': taken} for name, taken in rows]
