"""Hooks of MMEngine's Runner: seeds, frozen parts, and schedules of pruning."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner
from mmpose.registry import HOOKS
from torch import nn
from torch.utils.data import Dataset, Sampler

from mmhot.datasets.data_loading import SeedTransforms, seed_everything
from mmhot.errors import hint_at_names
from mmhot.models.gtpt.head import GTPTHead
from mmhot.models.tokens.hourglass import Hourglass


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


@HOOKS.register_module()
class KeypointOrderHook(Hook):
    """Compare the keypoints of a GTPT head with those of the datasets, before the run.

    They are the same in name and order if both have the same ``metainfo``. Swapped
    keypoints would train without an error.
    """

    def before_run(self, runner: Runner) -> None:
        """Raise a ValueError if keypoints differ in number, name or order."""
        head = getattr(model_of(runner), 'head', None)
        if not isinstance(head, GTPTHead):
            return
        loops = (runner._train_loop, runner._val_loop, runner._test_loop)
        for loop in (loop for loop in loops if isinstance(loop, BaseLoop)):
            metainfo = loop.dataloader.dataset.metainfo
            names = metainfo.get('keypoint_id2name', {})
            found = tuple(names[index] for index in range(len(names)))
            if found not in ((), head.groups.joints):
                raise ValueError(
                    f'model.head has the keypoints of {head.groups.skeleton}, '
                    f'{_first_difference(head.groups.joints, found)} of dataset '
                    f'{metainfo.get("dataset_name")!r}: give both the same metainfo'
                )


def _first_difference(ours: Sequence[str], theirs: Sequence[str]) -> str:
    """Describe the first difference between two lists of names."""
    if len(ours) != len(theirs):
        return f'{len(ours)}, but there are {len(theirs)}'
    pairs = enumerate(zip(ours, theirs, strict=True))
    index = next(index for index, (own, other) in pairs if own != other)
    return f'and keypoint {index} is {ours[index]}, but {theirs[index]}'


def model_of(runner: Runner) -> nn.Module:
    """Return the model in training."""
    model = runner.model
    return model.module if is_model_wrapper(model) else model
