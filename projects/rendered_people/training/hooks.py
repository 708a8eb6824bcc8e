"""Hooks for short trainings: limited time, memory format, fading guidance."""

import math
import time
from typing import Any

import torch
from mmengine.dist import broadcast
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpose.registry import HOOKS
from torch import nn

# Seconds that a training for a given time took, in MMEngine's message hub.
_SPENT = 'time_budget_seconds'


@HOOKS.register_module()
class TimeBudgetHook(Hook):
    """Train for a given time, over which the learning rate rises, stays and falls.

    For machines that are lent for minutes and whose speed is not known in advance. The
    training stops after the epoch in which the time ends, and saves ``final.pth``
    without the optimizer's state. It needs an epoch-based loop with enough, short
    epochs, and no ``param_scheduler``. A resumed training has the time that was left
    at its checkpoint.

    Args:
        minutes (float): From the first step on, without interruptions.
        warmup (float): Share of the time in which the rate rises. Defaults to 0.03.
        decay (float): Share of the time in which it falls, by a cosine. Defaults to
            0.6.
        end_factor (float): Factor of the rate at the end. Defaults to 0.005.
    """

    def __init__(
        self,
        minutes: float,
        warmup: float = 0.03,
        decay: float = 0.6,
        end_factor: float = 0.005,
    ) -> None:
        if minutes <= 0 or min(warmup, decay) < 0 or warmup + decay > 1:
            raise ValueError(
                f'minutes ({minutes}) must be positive, warmup ({warmup}) and decay '
                f'({decay}) shares that sum to at most 1'
            )
        self.minutes, self.warmup, self.decay = minutes, warmup, decay
        self.end_factor = end_factor
        self._start: float | None = None
        self._spent = 0.0

    def before_train(self, runner: Runner) -> None:
        """Continue the clock of the checkpoint that is resumed."""
        self._spent = runner.message_hub.runtime_info.get(_SPENT, 0.0)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Set the learning rate."""
        factor = self.factor(self._elapsed())
        for group in runner.optim_wrapper.param_groups:
            group.setdefault('initial_lr', group['lr'])
            group['lr'] = group['initial_lr'] * factor

    def factor(self, share: float) -> float:
        """Factor of the learning rate after a share of the time."""
        if share < self.warmup:
            return max(share / self.warmup, 0.01)
        fallen = min(max((share - 1 + self.decay) / max(self.decay, 1e-9), 0), 1)
        cosine = (1 + math.cos(math.pi * fallen)) / 2
        return self.end_factor + (1 - self.end_factor) * cosine

    def after_train_epoch(self, runner: Runner) -> None:
        """Stop if the time is over."""
        share = self._elapsed()
        runner.message_hub.update_info(_SPENT, share * 60 * self.minutes)
        if share >= 1:
            runner.train_loop.stop_training = True

    def after_train(self, runner: Runner) -> None:
        """Save the weights."""
        runner.save_checkpoint(
            runner.work_dir, 'final.pth', save_optimizer=False, by_epoch=True
        )

    def _elapsed(self) -> float:
        """Share of the time since the first call, that of the main process."""
        now = time.monotonic()
        if self._start is None:
            self._start = now - self._spent
        share = torch.tensor((now - self._start) / (60 * self.minutes))
        # the same rate, and the same last epoch, in all processes
        broadcast(share)
        return share.item()


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
        guidance = _model_of(runner).head.guidance
        if guidance is None:
            raise ValueError("GuidanceHook: the head's guidance must be set")
        self.weight = guidance.weight

    def before_train_epoch(self, runner: Runner) -> None:
        """Set this epoch's weight."""
        left = max(1 - runner.epoch / self.end, 0)
        _model_of(runner).head.guidance.weight = self.weight * self.factor**left


def _model_of(runner: Runner) -> nn.Module:
    """Return the model in training."""
    model = runner.model
    return model.module if is_model_wrapper(model) else model
