"""Hook that logs the cost of a training, and whether a resumed one is complete."""

from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from mmpose.registry import HOOKS

from mmhot.engine.cost import compare_cost, describe_cost


@HOOKS.register_module()
class ReportHook(Hook):
    """Log the cost of a model, by :func:`mmhot.engine.cost.compare_cost`."""

    def before_train(self, runner: Runner) -> None:
        """Log parameters, multiply-adds and kept tokens."""
        dataset = runner.train_dataloader.dataset
        cost = is_main_process() and compare_cost(runner.cfg, runner.model, dataset)
        if cost:
            runner.logger.info(describe_cost(cost))

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Warn of a training that is complete."""
        # A test of the config that a resumed training has written builds no optimizer.
        if not runner._resume or isinstance(runner.optim_wrapper, dict):
            return
        name = Path(runner._load_from).name
        loop = runner.train_loop
        unit = 'iter' if isinstance(loop, IterBasedTrainLoop) else 'epoch'
        done = checkpoint['meta'][unit]
        total = getattr(loop, f'max_{unit}s')
        if done >= total:
            runner.logger.warning(
                f'nothing left to train: {name} was saved after {unit} {done} of '
                f'{total}'
            )
