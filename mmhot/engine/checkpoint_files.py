"""Checkpoint files of a training: whole or absent, found again by ``--resume``."""

import re
import zipfile
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner, find_latest_checkpoint
from mmpose.registry import HOOKS

from mmhot.compat.checkpoints import safe_load
from mmhot.io.atomic import replacing

_BACKEND = 'mmhot'
_NUMBERED = re.compile(r'(?:epoch|iter)_(\d+)\.pth')


class WholeFileBackend(LocalBackend):
    """Local files that appear when they are complete."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a temporary file and rename it."""
        path = Path(filepath)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(obj)


register_backend(_BACKEND, WholeFileBackend)


@HOOKS.register_module()
class WholeCheckpointHook(CheckpointHook):
    """Save checkpoints whole, and remove outdated ones only afterwards.

    A full disk or an interruption leaves the checkpoints from before. The arguments
    are those of MMEngine's ``CheckpointHook``.
    """

    def __init__(self, *args, **kwargs) -> None:
        if 'file_client_args' not in kwargs:
            kwargs.setdefault('backend_args', dict(backend=_BACKEND))
        super().__init__(*args, **kwargs)
        self._outdated: list[str] = []

    def before_train(self, runner: Runner) -> None:
        """Postpone all later removals."""
        super().before_train(runner)
        self._remove = self.file_backend.remove
        self.file_backend.remove = self._outdated.append

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        super()._save_checkpoint_with_step(runner, step, meta)
        self._remove_outdated(runner)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        super()._save_best_checkpoint(runner, metrics)
        self._remove_outdated(runner)

    def _remove_outdated(self, runner: Runner) -> None:
        # a repeated epoch may have replaced a file by one of the same name
        current = {
            value
            for key, value in runner.message_hub.runtime_info.items()
            if key.startswith(('last_ckpt', 'best_ckpt'))
        }
        for path in {*self._outdated} - current:
            self._remove(path)
        self._outdated.clear()


def find_whole_checkpoint(work_dir: str | Path) -> tuple[str | None, list[str]]:
    """Find the newest undamaged checkpoint of a training.

    Args:
        work_dir (str | Path): Work directory of the training.

    Returns:
        tuple: Its path, None if there are no checkpoints, and for each newer one that
            is damaged a line.

    Raises:
        ValueError: If all checkpoints are damaged.
    """
    numbers = {
        path: int(match[1])
        for path in Path(work_dir).glob('*.pth')
        if (match := _NUMBERED.fullmatch(path.name))
    }
    paths = sorted(numbers, key=numbers.__getitem__, reverse=True)
    last = find_latest_checkpoint(str(work_dir))
    if last and Path(last).is_file():
        paths = [path for path in paths if path.resolve() != Path(last).resolve()]
        paths.insert(0, Path(last))
    damaged = []
    for path in paths:
        try:
            _check(path)
        except ValueError as error:
            damaged.append(str(error))
        else:
            return str(path), damaged
    if damaged:
        raise ValueError(f'{damaged[0]}; no other checkpoint in {work_dir} is whole')
    return None, []


def _check(path: Path) -> None:
    """Raise a ValueError if a checkpoint is damaged or cannot be resumed from."""
    content = safe_load(path)
    if zipfile.is_zipfile(path):  # PyTorch itself does not compare checksums
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                raise ValueError(f'{path}: damaged, a checksum differs')
    if not isinstance(content, dict) or not {'meta', 'optimizer'} <= content.keys():
        raise ValueError(f'{path}: not the state of a training')
