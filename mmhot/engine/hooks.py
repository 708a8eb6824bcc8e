"""Hooks of MMEngine's Runner: seeds, frozen parts, and schedules of pruning."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpose.registry import HOOKS
from torch import nn
from torch.utils.data import Dataset, Sampler

from mmhot.datasets.data_loading import SeedTransforms, seed_everything
from mmhot.errors import hint_at_names
from mmhot.models.tokens.hourglass import Hourglass


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed each epoch, so that a resumed training equals an uninterrupted one.

    The main process is seeded here; workers of the data loader need
    :class:`SeedTransforms` in the pipeline, which receives the
    epoch from this hook. Checkpoints also store the sampler's seed, which is random
    where a config sets none.
    """

    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed with (the runner's seed, epoch, rank)."""
        rank = get_rank()
        seed_everything(runner.seed, runner.epoch + 1, rank, 0)
        _forget_batch_sizes(runner.model)
        for transform in _transforms(runner.train_dataloader.dataset):
            if isinstance(transform, SeedTransforms):
                transform.announce(runner.seed, runner.epoch, rank)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Seed again, because starting workers draws a random number."""
        if batch_idx == 0 and runner.train_dataloader.num_workers:
            seed_everything(runner.seed, runner.epoch + 1, get_rank(), 0)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Store the sampler's seed, which determines the order of samples."""
        for sampler in _seeded_samplers(runner):
            checkpoint['meta']['sampler_seed'] = sampler.seed

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Restore the sampler's seed."""
        if not runner._resume:
            return
        seed = checkpoint['meta'].get('sampler_seed')
        if seed is not None:
            for sampler in _seeded_samplers(runner):
                sampler.seed = seed


def _forget_batch_sizes(model: nn.Module) -> None:
    """Forget the random image size that ``BatchSyncRandomResize`` drew in advance.

    It is drawn one step early by MMDetection and MMPose and is not in checkpoints.
    """
    for module in model.modules():
        if type(module).__name__ == 'BatchSyncRandomResize':
            module._input_size = None


def _seeded_samplers(runner: Runner) -> Iterator[Sampler]:
    """Yield the samplers of the training data that have a seed."""
    for holder in (runner.train_dataloader, runner.train_dataloader.batch_sampler):
        if hasattr(getattr(holder, 'sampler', None), 'seed'):
            yield holder.sampler


def _transforms(dataset: Dataset) -> Iterator:
    """Yield the transforms of a dataset and of the datasets that it wraps."""
    yield from getattr(getattr(dataset, 'pipeline', None), 'transforms', ())
    within = [getattr(dataset, 'dataset', None), *getattr(dataset, 'datasets', ())]
    for part in within:
        if part is not None:
            yield from _transforms(part)


@HOOKS.register_module()
class FreezeHook(Hook):
    """Keep parts of a model as they are, without gradients, in evaluation mode.

    With several processes the config also needs ``find_unused_parameters=True``.

    Args:
        modules (Sequence[str]): Names of the parts, such as 'backbone'.
        end (int, optional): First epoch that trains them. Defaults to None: all epochs
            keep them.
    """

    def __init__(self, modules: Sequence[str], end: int | None = None) -> None:
        self.modules = list(modules)
        self.end = end

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Freeze or thaw, as validation changes the mode of the whole model."""
        model = model_of(runner)
        frozen = self.end is None or runner.epoch < self.end
        for name in self.modules:
            try:
                part = model.get_submodule(name)
            except AttributeError as error:
                raise ValueError(
                    f'FreezeHook: the model has no part {name!r}; '
                    f'{hint_at_names(name, dict(model.named_modules()))}'
                ) from error
            part.requires_grad_(not frozen).train(not frozen)


@HOOKS.register_module()
class KeepRateHook(Hook):
    """Decrease what pruning keeps from everything to the configured part in training.

    These are GTPT's keep rates, or the numbers of frames that the pruners of a lifter
    keep. Neither released code has such a schedule. Validation always uses the
    configured numbers.

    Args:
        end (int): First epoch with the configured numbers.
        begin (int): Last epoch without pruning; in between they fall linearly.
            Defaults to 0.
    """

    def __init__(self, end: int, begin: int = 0) -> None:
        if not 0 <= begin < end:
            raise ValueError(f'begin must be before end, got {begin} and {end}')
        self.begin = begin
        self.end = end

    def before_train(self, runner: Runner) -> None:
        """Store the configured numbers.

        Raises:
            ValueError: If the model has none, or cannot change them.
        """
        model = model_of(runner)
        self.rates = getattr(model.head, 'keep_rates', None)
        self.hourglasses = [
            (part, part.keep_counts(None, part.num_frames))
            for part in model.modules()
            if isinstance(part, Hourglass) and part.pruners
        ]
        if self.rates is None and not self.hourglasses:
            raise ValueError(
                "KeepRateHook: the head's keep_rates or the backbone's pruner must "
                'be set'
            )
        if any(part.fixed_lengths for part, _ in self.hourglasses):
            raise ValueError(
                'KeepRateHook: layers of this model are built for a fixed number of '
                'frames'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Set this epoch's numbers."""
        share = (runner.epoch - self.begin) / (self.end - self.begin)
        self._prune(runner, min(max(share, 0), 1))

    def after_train_epoch(self, runner: Runner) -> None:
        """Restore the configured numbers."""
        self._prune(runner, 1)

    def _prune(self, runner: Runner, share: float) -> None:
        """Drop a share of what the configured numbers drop."""
        if self.rates is not None:
            model_of(runner).head.keep_rates = tuple(
                float(np.interp(share, (0, 1), (1, rate))) for rate in self.rates
            )
        for part, counts in self.hourglasses:
            for place, (pruner, count) in enumerate(
                zip(part.pruners, counts, strict=True)
            ):
                # a later pruner keeps fewer frames than those before it
                most = part.num_frames - place
                pruner.num_keep = round(most - share * (most - count))


def model_of(runner: Runner) -> nn.Module:
    """Return the model in training."""
    model = runner.model
    return model.module if is_model_wrapper(model) else model
