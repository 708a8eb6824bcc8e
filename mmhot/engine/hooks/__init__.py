"""Training hooks: keep rates, guidance, seeds, shapes of weights, memory format."""

from collections.abc import Iterator
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
from mmhot.weights.strict_loading import refuse_other_shapes

__all__ = [
    'ChannelsLastHook',
    'EpochSeedHook',
    'GuidanceHook',
    'KeepRateHook',
    'SameShapesHook',
]


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Train with the channels of convolutions as the fastest axis in memory.

    Feature maps take their weights' format. Results are the same but for rounding; on
    a CPU without mixed precision the depthwise convolutions of RTMDet-nano take 0.62 of
    the time of a training step.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Change the format, before others copy the model."""
        runner.model.to(memory_format=torch.channels_last)


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed the main process and announce the epoch to the loader's workers.

    Training that is resumed at an epoch's boundary then sees the same samples and
    draws the same dropout masks as one that was never interrupted. The workers need
    :class:`SeedTransforms` in the pipeline. Checkpoints keep the
    sampler's seed: where a config sets none, it is a random one.
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


@HOOKS.register_module()
class GuidanceHook(Hook):
    """Tell keypoint tokens where to look above all at first.

    The weight of :class:`PatchGuidanceLoss` falls geometrically to the model's own. As
    strong as it must be to save the search, it drowns the loss of keypoints later: at
    a weight of 0.1 its gradient was 12 to 33 times as long in what comes before the
    groups.

    Args:
        factor (float): What the model's own weight is multiplied with in the first
            epoch. Defaults to 10.
        end (int): First epoch with the model's own weight. Defaults to 3.
    """

    def __init__(self, factor: float = 10.0, end: int = 3) -> None:
        if factor <= 0 or end < 1:
            raise ValueError(
                f'factor must be positive and end at least 1, got {factor} and {end}'
            )
        self.factor = factor
        self.end = end

    def before_train(self, runner: Runner) -> None:
        """Remember the model's own weight."""
        guidance = head_of(runner).guidance
        if guidance is None:
            raise ValueError("GuidanceHook: the head's guidance must be set")
        self.weight = guidance.weight

    def before_train_epoch(self, runner: Runner) -> None:
        """Set this epoch's weight."""
        left = max(1 - runner.epoch / self.end, 0)
        head_of(runner).guidance.weight = self.weight * self.factor**left


@HOOKS.register_module()
class KeepRateHook(Hook):
    """Prune little at first: keep rates fall from one to the model's own.

    Summaries of the GTPT paper speak of curriculum learning; its released code has no
    schedule, and neither do the configs. Validation and checkpoints see the model's
    own rates at any time.

    Args:
        end (int): First epoch with the model's own rates.
        begin (int): Last epoch without pruning; in between rates fall linearly.
    """

    def __init__(self, end: int, begin: int = 0) -> None:
        if not 0 <= begin < end:
            raise ValueError(f'begin must be before end, got {begin} and {end}')
        self.begin = begin
        self.end = end

    def before_train(self, runner: Runner) -> None:
        """Remember the model's own rates."""
        self.rates = head_of(runner).keep_rates
        if self.rates is None:
            raise ValueError("KeepRateHook: the head's keep_rates must be set")

    def before_train_epoch(self, runner: Runner) -> None:
        """Set this epoch's rates."""
        share = (runner.epoch - self.begin) / (self.end - self.begin)
        share = min(max(share, 0), 1)
        head_of(runner).keep_rates = tuple(
            1 - share * (1 - rate) for rate in self.rates
        )

    def after_train_epoch(self, runner: Runner) -> None:
        """Set the model's own rates again."""
        head_of(runner).keep_rates = self.rates


def head_of(runner: Runner):
    """Return the head of the model in training."""
    model = runner.model
    return (model.module if is_model_wrapper(model) else model).head


@HOOKS.register_module()
class SameShapesHook(Hook):
    """Refuse weights that would be made to fit, as they are for a training.

    Raises a ValueError, in one line, before any is loaded.
    """

    priority = 'VERY_HIGH'

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare the tensors that the file and the model both have."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        state = checkpoint.get('state_dict', checkpoint)
        refuse_other_shapes(model, runner.cfg.load_from, state)
