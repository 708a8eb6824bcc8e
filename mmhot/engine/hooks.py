"""Hooks of MMEngine's Runner: seeds, frozen parts, the weight of guidance."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpose.registry import HOOKS
from torch import nn
from torch.utils.data import Dataset, Sampler

from mmhot.datasets.data_loading import SeedTransforms, seed_everything
from mmhot.errors import hint_at_names


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Train in the memory format ``channels_last``.

    Results are equal up to rounding. On a CPU without mixed precision a training step
    of RTMDet-nano, with depthwise convolutions, takes 0.62 of the time.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Change the format, before other hooks copy the model."""
        runner.model.to(memory_format=torch.channels_last)


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed each epoch, so that a resumed training equals an uninterrupted one.

    The main process is seeded here; workers of the data loader need
    :class:`SeedTransforms` in the pipeline, which receives the
    epoch from this hook. Checkpoints also store the sampler's seed, which is random
    where a config sets none. ``BatchSyncRandomResize`` draws sizes one step early,
    which checkpoints do not have.
    """

    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed with (the runner's seed, epoch, rank)."""
        rank = get_rank()
        seed_everything(runner.seed, runner.epoch + 1, rank, 0)
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
class GuidanceHook(Hook):
    """Decay the weight of :class:`PatchGuidanceLoss` geometrically to the config's.

    Guidance that is strong enough at the start dominates the loss of keypoints later:
    at a weight of 0.1 its gradient in the coarse layers was 12 to 33 times as long.

    Args:
        factor (float): Factor of the configured weight in the first epoch. Defaults
            to 10.
        end (int): First epoch with the configured weight. Defaults to 3.
    """

    def __init__(self, factor: float = 10.0, end: int = 3) -> None:
        if factor <= 0 or end < 1:
            raise ValueError(
                f'factor must be positive and end at least 1, got {factor} and {end}'
            )
        self.factor = factor
        self.end = end

    def before_train(self, runner: Runner) -> None:
        """Store the configured weight."""
        guidance = model_of(runner).head.guidance
        if guidance is None:
            raise ValueError("GuidanceHook: the head's guidance must be set")
        self.weight = guidance.weight

    def before_train_epoch(self, runner: Runner) -> None:
        """Set this epoch's weight."""
        left = max(1 - runner.epoch / self.end, 0)
        model_of(runner).head.guidance.weight = self.weight * self.factor**left


def model_of(runner: Runner) -> nn.Module:
    """Return the model in training."""
    model = runner.model
    return model.module if is_model_wrapper(model) else model
