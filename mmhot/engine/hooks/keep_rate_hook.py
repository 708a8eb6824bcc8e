"""Keep rates that fall while a model learns."""

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpose.registry import HOOKS


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
