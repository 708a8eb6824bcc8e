"""Hooks around a training: checkpoints, diverged losses."""

from collections.abc import Collection
from pathlib import Path

import torch
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import Runner, find_latest_checkpoint
from mmpose.registry import HOOKS

from mmhot.io.atomic import replacing

_BACKEND = 'mmhot'


class WholeFileBackend(LocalBackend):
    """Local files that appear when complete; their removal is postponed."""

    def __init__(self) -> None:
        self._outdated: set[str] = set()

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a temporary file and rename it."""
        path = Path(filepath)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(obj)

    def remove(self, filepath: str | Path) -> None:
        """Remove a file at the next call of :meth:`remove_outdated`."""
        self._outdated.add(str(filepath))

    def remove_outdated(self, current: Collection[str]) -> None:
        """Remove postponed files, except current ones."""
        for path in self._outdated.difference(current):
            super().remove(path)
        self._outdated.clear()


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

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        super()._save_checkpoint_with_step(runner, step, meta)
        if not isinstance(self.file_backend, WholeFileBackend):
            return
        # a repeated epoch may have replaced a file by one of the same name
        saved = runner.message_hub.runtime_info.items()
        current = [x for key, x in saved if key.startswith(('last_ckpt', 'best_ckpt'))]
        self.file_backend.remove_outdated(current)


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stop a training whose loss is not finite, without saving its weights."""

    # before the hook that saves checkpoints
    priority = 'LOW'
    # steps in a row until it stops; in mixed precision a single one may overflow
    patience = 10

    def __init__(self) -> None:
        self.streak = torch.zeros((), dtype=torch.int64)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        """Count on the loss's device, and read the count at times only."""
        is_finite = outputs['loss'].detach().isfinite().all()
        self.streak = (self.streak.to(is_finite.device) + 1) * ~is_finite
        if self.every_n_train_iters(runner, self.patience):
            streak = int(self.streak)
            if streak >= self.patience:
                first = runner.iter + 2 - streak
                self._stop(f'the loss is not finite since step {first}', runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuse weights that are not finite."""
        for name, parameter in runner.model.named_parameters():
            if not parameter.isfinite().all():
                self._stop(f'{name} is not finite', runner)

    def _stop(self, what: str, runner: Runner) -> None:
        saved = find_latest_checkpoint(runner.work_dir)
        raise ValueError(
            f'stopped in epoch {runner.epoch + 1}, {what}: lower '
            'optim_wrapper.optimizer.lr or set optim_wrapper.clip_grad; '
            + (f'last checkpoint: {saved}' if saved else 'no checkpoint was saved')
        )
