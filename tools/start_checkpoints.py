"""Checkpoints from which a training is resumed, and what it takes from them."""

import re
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path

from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from mmhot.io.pickles import safe_load

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
    """Raise a ValueError if a file is damaged, or is not the state of a training."""
    content = safe_load(path)
    if zipfile.is_zipfile(path):  # PyTorch itself does not compare checksums
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                raise ValueError(f'{path}: damaged, a checksum differs')
    if not isinstance(content, dict) or not {'meta', 'optimizer'} <= content.keys():
        hint = "; weights start one as the config's load_from"
        raise ValueError(f'{path}: not the state of a training{hint}')


class ResumeHook(Hook):
    """Name what a resumed training takes from the checkpoint instead of the config.

    These are the settings of the optimizer and the schedule.

    Args:
        say (Callable): Receives the line.
    """

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare the states of a checkpoint that is resumed with the config's."""
        if not runner._resume:
            return
        name, loop = Path(runner._load_from).name, runner.train_loop
        unit = 'iter' if isinstance(loop, IterBasedTrainLoop) else 'epoch'
        done, total = checkpoint['meta'][unit], getattr(loop, f'max_{unit}s')
        if done >= total:
            self._say(f'nothing left to train: {name} is of {unit} {done} of {total}')
        optimizer = runner.optim_wrapper.state_dict().get('param_groups', ())
        schedulers = runner.param_schedulers
        if isinstance(schedulers, list) and isinstance(optimizer, list):
            saved = checkpoint.get('optimizer', {}).get('param_groups', ())
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
