"""Trainings in one process or several, and records of each step.

Processes are forked from a server that has imported the packages (not from the tests'
process, whose autograd threads forbid it) and communicate by gloo on the CPU. Intended
differences between processes are disabled: dropout, BatchNorm's batch statistics, and
augmentations that depend on the process (they depend on the sample instead). Every
step is plain gradient descent, as Adam would amplify rounding errors of zero gradients
to whole steps. Configs come small, on data that the tests
have, with :class:`SeedTransforms` first in their pipelines and ``num_workers=0``.
"""

import copy
import multiprocessing
import os
import socket
from importlib import import_module
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.config import config as config_module
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import runner as runner_module
from torch.multiprocessing import start_processes

from mmhot.datasets.data_loading import SeedTransforms, seed_everything
from tools.runner import build_runner

multiprocessing.set_forkserver_preload(['mmhot.plugin', 'mmpose.visualization'])

STILL = (torch.nn.modules.batchnorm._BatchNorm, torch.nn.Dropout)


class Recorder(Hook):
    """Disable dropout and batch statistics; record each step."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.record = dict(losses=[], gradients=[], samples=[])

    def before_train(self, runner) -> None:
        """Record gradients before each step of the optimizer."""
        optimizer = runner.optim_wrapper.optimizer
        optimizer.register_step_pre_hook(lambda *_: self._keep_gradients(runner))

    def _keep_gradients(self, runner) -> None:
        gradients = {
            name: None if parameter.grad is None else parameter.grad.clone()
            for name, parameter in plain_model(runner).named_parameters()
        }
        self.record['gradients'].append(gradients)

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        """Record the samples; disable dropout and batch statistics."""
        samples = [sample.metainfo['id'] for sample in data_batch['data_samples']]
        self.record['samples'].append(samples)
        for module in runner.model.modules():
            if isinstance(module, STILL) or hasattr(module, 'drop_prob'):
                module.eval()

    def after_train_iter(self, runner, batch_idx, data_batch, outputs) -> None:
        """Record the loss of this process's part of the batch."""
        self.record['losses'].append(outputs['loss'].item())

    def after_val_epoch(self, runner, metrics=None) -> None:
        """Record the metrics."""
        self.record['metrics'] = metrics

    def after_train(self, runner) -> None:
        """Write the record to a file."""
        self.record['weights'] = plain_model(runner).state_dict()
        torch.save(self.record, self.path)


def plain_model(runner) -> torch.nn.Module:
    """The model without its wrapper for several processes."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model


def seed_by_sample(self, results: dict) -> dict:
    """Replace :meth:`SeedTransforms.transform`: seed by the sample."""
    seed_everything(int(results['id']))
    return results


def _train(rank: int, num_processes: int, port: int, config: Config, path: Path):
    torch.set_num_threads(1)
    SeedTransforms.transform = seed_by_sample
    runner_module.collect_env = dict  # runs compilers and queries GPUs
    # takes longer than the training
    config_module.FormatCode = lambda text, **style: (text, True)
    if num_processes > 1:
        import_module('gloo_processes')
        os.environ.update(
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            WORLD_SIZE=str(num_processes),
            MASTER_ADDR='127.0.0.1',
            MASTER_PORT=str(port),
        )
        config.launcher = 'pytorch'
    runner = build_runner(config)
    runner.register_hook(Recorder(Path(f'{path}.{rank}')))
    runner.train()


def train(config: Config, num_processes: int, folder: Path) -> list[dict]:
    """Train in several processes, which share each batch of the config.

    Returns for each process the ``losses``, ``gradients`` (dict by name) and
    ``samples`` (ids) of every step, the final ``weights`` and, if there was a
    validation, its ``metrics``.
    """
    if torch.cuda.is_available():
        pytest.skip('the processes communicate by gloo, on the CPU')
    config = copy.deepcopy(config)
    config.work_dir = str(folder / f'work_{num_processes}')
    config.train_dataloader.batch_size //= num_processes
    config.optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01))
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    path = folder / f'record_{num_processes}'
    arguments = (num_processes, port, config, path)
    start_processes(_train, arguments, nprocs=num_processes, start_method='forkserver')
    return [torch.load(f'{path}.{rank}') for rank in range(num_processes)]


def assert_two_processes_equal_one(
    config: Config, folder: Path, tolerance: float = 1e-5
) -> dict:
    """Assert that two processes train as one does; return the record of the one."""
    (one,) = train(config, 1, folder)
    two = train(config, 2, folder)
    exact = dict(rtol=tolerance, atol=tolerance)
    for step, samples in enumerate(one['samples']):
        halves = [part['samples'][step] for part in two]
        assert sorted(samples) == sorted(sum(halves, []))
        mean = sum(part['losses'][step] for part in two) / 2
        assert mean == pytest.approx(one['losses'][step], rel=tolerance)
        for part in two:
            torch.testing.assert_close(
                part['gradients'][step], one['gradients'][step], **exact
            )
    for part in two:
        assert len(part['samples']) == len(one['samples'])
        torch.testing.assert_close(part['weights'], one['weights'], **exact)
        if 'metrics' in one:
            assert part['metrics'] == pytest.approx(one['metrics'], rel=1e-4)
    return one
