"""Epochs whose randomness does not depend on what ran before."""

from collections.abc import Iterator
from typing import Any

from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS
from torch import nn
from torch.utils.data import Dataset, Sampler

from mmhot.datasets.transforms.epoch_seed import EpochSeed, seed_everything


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed the main process and announce the epoch to the loader's workers.

    Training that is resumed at an epoch's boundary then sees the same samples and
    draws the same dropout masks as one that was never interrupted. The workers need
    :class:`mmhot.datasets.transforms.EpochSeed` in the pipeline. Checkpoints keep the
    sampler's seed: where a config sets none, it is a random one.
    """

    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed with (the runner's seed, epoch, rank)."""
        rank = get_rank()
        seed_everything(runner.seed, runner.epoch + 1, rank, 0)
        _forget_batch_sizes(runner.model)
        for transform in _transforms(runner.train_dataloader.dataset):
            if isinstance(transform, EpochSeed):
                transform.announce(runner.seed, runner.epoch, rank)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Seed the main process again where starting its workers drew a number."""
        if batch_idx == 0 and runner.train_dataloader.num_workers:
            seed_everything(runner.seed, runner.epoch + 1, get_rank(), 0)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep what the order of samples follows from."""
        for sampler in _seeded_samplers(runner):
            checkpoint['meta']['sampler_seed'] = sampler.seed

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Go on with the same order of samples."""
        if not runner._resume:
            return
        seed = checkpoint['meta'].get('sampler_seed')
        if seed is not None:
            for sampler in _seeded_samplers(runner):
                sampler.seed = seed


def _forget_batch_sizes(model: nn.Module) -> None:
    """Begin with the pictures' own size, not the one that was drawn for the next step.

    MMDetection's and MMPose's random sizes of batches are drawn a step before, and no
    checkpoint has them.
    """
    for module in model.modules():
        if type(module).__name__ == 'BatchSyncRandomResize':
            module._input_size = None


def _seeded_samplers(runner: Runner) -> Iterator[Sampler]:
    """Samplers of the training data that have a seed."""
    for holder in (runner.train_dataloader, runner.train_dataloader.batch_sampler):
        if hasattr(getattr(holder, 'sampler', None), 'seed'):
            yield holder.sampler


def _transforms(dataset: Dataset) -> Iterator:
    """Transforms of a dataset and of those within it (joined or repeated ones)."""
    yield from getattr(getattr(dataset, 'pipeline', None), 'transforms', ())
    within = [getattr(dataset, 'dataset', None), *getattr(dataset, 'datasets', ())]
    for part in within:
        if part is not None:
            yield from _transforms(part)
