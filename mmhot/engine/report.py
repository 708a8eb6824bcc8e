"""Hook that logs the cost of a training."""

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
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
