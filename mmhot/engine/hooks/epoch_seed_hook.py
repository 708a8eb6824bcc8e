"""Epochs whose randomness does not depend on what ran before."""

from collections.abc import Iterator

from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS
from torch.utils.data import Dataset

from mmhot.datasets.transforms.epoch_seed import EpochSeed, seed_everything


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed the main process and announce the epoch to the loader's workers.

    Training that is resumed at an epoch's boundary then sees the same samples and
    draws the same dropout masks as one that was never interrupted. The workers need
    :class:`mmhot.datasets.transforms.EpochSeed` in the pipeline.
    """

    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed with (the runner's seed, epoch, rank)."""
        rank = get_rank()
        seed_everything(runner.seed, runner.epoch + 1, rank, 0)
        for transform in _transforms(runner.train_dataloader.dataset):
            if isinstance(transform, EpochSeed):
                transform.announce(runner.seed, runner.epoch, rank)


def _transforms(dataset: Dataset) -> Iterator:
    """Transforms of a dataset and of those within it (joined or repeated ones)."""
    yield from getattr(getattr(dataset, 'pipeline', None), 'transforms', ())
    within = [getattr(dataset, 'dataset', None), *getattr(dataset, 'datasets', ())]
    for part in within:
        if part is not None:
            yield from _transforms(part)
