"""Checkpoints from which a training or test starts: whole, and of the same model."""

import re
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path

from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from mmhot.engine.hooks import model_of
from mmhot.io.pickles import safe_load
from mmhot.weights.loading import check_state, describe_differences, find_state

# Entries of states that change during a training, or with the machine.
_PROGRESS = {
    *('params', 'lr', 'fused', 'foreach', 'capturable', 'verbose', 'base_values'),
    *('last_step', '_global_step', '_last_value'),
}
_NUMBERED = re.compile(r'(?:epoch|iter)_(\d+)\.pth')


def find_checkpoint(work_dir: str | Path) -> str | None:
    """Find the newest checkpoint of a training, a whole one if there is one."""
    numbers = {
        int(match[1]): str(path)
        for path in Path(work_dir).glob('*.pth')
        if (match := _NUMBERED.fullmatch(path.name))
    }
    paths = [numbers[x] for x in sorted(numbers, reverse=True)]
    return next((x for x in paths if zipfile.is_zipfile(x)), next(iter(paths), None))


def check_whole(path: Path) -> None:
    """Raise a ValueError if a file is damaged, or no state of a training."""
    content = safe_load(path)
    if zipfile.is_zipfile(path):  # PyTorch itself does not compare checksums
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                raise ValueError(f'{path}: damaged, a checksum differs')
    if not isinstance(content, dict) or not {'meta', 'optimizer'} <= content.keys():
        hint = "; weights start one as the config's load_from"
        raise ValueError(f'{path}: not the state of a training{hint}')


class SameShapesHook(Hook):
    """Raise a ValueError if loaded weights are of another model.

    MMEngine leaves out tensors of other shapes with a warning.

    Args:
        training (bool): Whether weights start a training: models may then resample
            tensors to other numbers of kept frames, and ``init_cfg`` is checked, too.
    """

    priority = 'VERY_HIGH'

    def __init__(self, training: bool = False) -> None:
        self.training, self.has_begun = training, False

    def before_train(self, runner: Runner) -> None:
        """Note that all that the config names has been built."""
        self.has_begun = True

    before_test = before_train

    def before_run(self, runner: Runner) -> None:
        """Check the weights of parts with ``init_cfg=dict(type='Pretrained')``."""
        if not self.training:
            return
        for module in runner.model.modules():
            settings = getattr(module, 'init_cfg', None) or []
            for start in [settings] if isinstance(settings, dict) else settings:
                # init_weights of other packages may convert weights first
                package = type(module).init_weights.__module__.partition('.')[0]
                is_plain = package in ('mmengine', 'mmhot')
                if start.get('type') == 'Pretrained' and is_plain:
                    source, prefix = start['checkpoint'], start.get('prefix')
                    content = CheckpointLoader.load_checkpoint(source, 'cpu')
                    self._check(module, source, content, prefix)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check the weights of ``load_from``."""
        self._check(model_of(runner), runner._load_from, checkpoint)

    def _check(
        self, module: nn.Module, source: str, content: dict, prefix: str | None = None
    ) -> None:
        state = content.get('state_dict', content)
        if prefix is not None:
            start = f'{prefix.removesuffix(".")}.'
            state = {
                key.removeprefix(start): value
                for key, value in state.items()
                if key.startswith(start)
            }
        state = find_state(module, source, state)
        if not self.training:
            check_state(module, source, state, allows_more=True)
            return
        try:
            # MMEngine loads the same weights once more
            module.load_state_dict(state, strict=False)
        except RuntimeError as error:
            # after a title
            differences = [line.strip() for line in str(error).splitlines()[1:]]
            raise ValueError(describe_differences(source, differences)) from error


class ResumeHook(Hook):
    """Name what a resumed training takes from the checkpoint instead of the config.

    The optimizer's settings and the schedule are those of the checkpoint.

    Args:
        say (Callable): Receives the line.
    """

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare the states of a checkpoint that is resumed with the config's.

        Raises:
            ValueError: If they are of another optimizer.
        """
        if not runner._resume:
            return
        # MMEngine would run it as Python
        checkpoint['meta'].pop('config', None)
        name, loop = Path(runner._load_from).name, runner.train_loop
        unit = 'iter' if isinstance(loop, IterBasedTrainLoop) else 'epoch'
        done, total = checkpoint['meta'][unit], getattr(loop, f'max_{unit}s')
        if done >= total:
            self._say(f'nothing left to train: {name} is of {unit} {done} of {total}')
        optimizer = runner.optim_wrapper.state_dict().get('param_groups', ())
        saved = checkpoint.get('optimizer', {}).get('param_groups', ())
        for group, other in zip(optimizer, saved, strict=False):
            if {*group} - {*other} and {*other} - {*group}:
                raise ValueError(
                    f'{name} is of another optimizer than the config: take its weights '
                    'as load_from, without --resume'
                )
        schedulers = runner.param_schedulers
        if isinstance(schedulers, list) and isinstance(optimizer, list):
            configured = _settings([*optimizer, *(x.state_dict() for x in schedulers)])
            resumed = _settings([*saved, *checkpoint.get('param_schedulers', ())])
            differ = [
                f'{key} {", ".join(values)} (config: {", ".join(configured[key])})'
                for key, values in resumed.items()
                if values != configured.get(key, values)
            ]
            if differ:
                self._say(f'{name} goes on with its own {"; ".join(differ)}')


def _settings(groups: Iterable[dict]) -> dict[str, list[str]]:
    """List the different values of each setting of parameter groups and schedulers."""
    values = defaultdict(list)
    for name, value in chain.from_iterable(group.items() for group in groups):
        text = str([*value] if isinstance(value, dict | tuple) else value)
        if name not in _PROGRESS and text not in values[name]:
            values[name].append(text)
    return values
