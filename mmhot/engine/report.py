"""Hook that logs the cost of a training, and settings that a resumed one keeps."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from mmpose.registry import HOOKS

from mmhot.engine.cost import compare_cost, describe_cost

# Entries of the states of optimizers and schedulers that are not settings: they change
# during a training, or with the machine.
_PROGRESS = {
    *('params', 'lr', 'fused', 'foreach', 'capturable', 'verbose', 'base_values'),
    *('last_step', '_global_step', '_last_value'),
}


@HOOKS.register_module()
class ReportHook(Hook):
    """Log the cost of a model, and the settings that a resumed training keeps.

    :func:`mmhot.engine.cost.compare_cost` computes the cost. A resumed training has the
    optimizer and schedules of the checkpoint; settings that differ from the config are
    logged in one line.
    """

    def before_train(self, runner: Runner) -> None:
        """Log parameters, multiply-adds and kept tokens."""
        dataset = runner.train_dataloader.dataset
        cost = is_main_process() and compare_cost(runner.cfg, runner.model, dataset)
        if cost:
            runner.logger.info(describe_cost(cost))

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Warn of a training that is complete, and of settings that differ."""
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
        if differ := _differences(runner, checkpoint):
            runner.logger.warning(f'{name} keeps its own {"; ".join(differ)}')


def _differences(runner: Runner, checkpoint: dict) -> list[str]:
    """List the settings of a checkpoint that differ from the config's."""
    if isinstance(runner.param_schedulers, dict):  # several optimizers, by name
        return []
    groups = runner.optim_wrapper.state_dict().get('param_groups', ())
    schedulers = [x.state_dict() for x in runner.param_schedulers or ()]
    configured = _settings([*groups, *schedulers])
    groups = checkpoint.get('optimizer', {}).get('param_groups', ())
    resumed = _settings([*groups, *checkpoint.get('param_schedulers', ())])
    return [
        f'{key} {", ".join(values)} (config: {", ".join(configured[key])})'
        for key, values in resumed.items()
        if values != configured.get(key, values)
    ]


def _settings(groups: Iterable[dict]) -> dict[str, list[str]]:
    """List the different values of each setting of parameter groups and schedulers."""
    values: dict[str, list[str]] = defaultdict(list)
    for name, value in chain.from_iterable(group.items() for group in groups):
        text = str([*value] if isinstance(value, dict | tuple) else value)
        if name not in _PROGRESS and text not in values[name]:
            values[name].append(text)
    return values
