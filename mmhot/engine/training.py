"""Hooks around a training: checkpoints, diverged losses, curves."""

import json
import re
import zipfile
from collections import defaultdict
from pathlib import Path

import torch
from mmengine.dist import is_main_process, master_only
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import EpochBasedTrainLoop, Runner, find_latest_checkpoint
from mmpose.registry import HOOKS

from mmhot.compat.checkpoints import safe_load
from mmhot.io.atomic import remove_abandoned, replacing

Curves = dict[str, dict[float, float]]

_BACKEND = 'mmhot'
_NUMBERED = re.compile(r'(?:epoch|iter)_(\d+)\.pth')
# Of a line of a log.
_NO_RESULTS = ('step', 'time', 'data_time', 'memory', 'lr', 'base_lr', 'epoch', 'iter')


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
        """Remove what a killed training left half-written; postpone later removals."""
        super().before_train(runner)
        if is_main_process():
            remove_abandoned(Path(runner.work_dir))
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


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stop a training whose loss is not finite, without saving its weights.

    Args:
        patience (int): Steps in a row with such a loss until the training stops; in
            mixed precision a single one may overflow. Defaults to 10.
    """

    # before the hook that saves checkpoints
    priority = 'LOW'

    def __init__(self, patience: int = 10) -> None:
        if patience < 1:
            raise ValueError(f'patience must be at least 1, got {patience}')
        self.patience = patience
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


@HOOKS.register_module()
class CurvesHook(Hook):
    """Draw ``curves.png`` into the work directory at the end of a training.

    It shows the losses and the validation results, those of MPJPE where there are any,
    of all parts of a resumed training.
    """

    priority = 'LOWEST'

    @master_only
    def after_train(self, runner: Runner) -> None:
        """Read the logs and draw."""
        by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
        steps = len(runner.train_dataloader) if by_epoch else 1
        losses, results = read_curves(runner.work_dir, steps)
        if losses:
            path = Path(runner.work_dir, 'curves.png')
            draw_curves(losses, results, path, 'epoch' if by_epoch else 'step')


def read_curves(work_dir: str | Path, steps: int) -> tuple[Curves, Curves]:
    """Read losses and validation results from the logs of ``LocalVisBackend``.

    Args:
        work_dir (str | Path): Work directory; its runs are read in order, later ones
            replace what they repeat.
        steps (int): Steps of an epoch; 1 if validations count steps.

    Returns:
        tuple[Curves, Curves]: Values by epoch (or step), by name. Of results only
            MPJPEs if there are any.
    """
    losses, results = defaultdict(dict), defaultdict(dict)
    for path in sorted(Path(work_dir).glob('*/vis_data/scalars.json')):
        for line in path.read_text().splitlines():
            record = json.loads(line)
            step = record.get('step', 0)
            for name, value in record.items():
                if 'loss' in record and 'loss' in name:
                    losses[name][step / steps] = value
                elif 'loss' not in record and name not in _NO_RESULTS:
                    results[name][step] = value
    errors = {name: curve for name, curve in results.items() if 'MPJPE' in name}
    return dict(losses), errors or dict(results)


def draw_curves(losses: Curves, results: Curves, path: Path, unit: str) -> None:
    """Draw losses above validation results.

    Args:
        losses (Curves): Losses, see :func:`read_curves`.
        results (Curves): Validation results; may be empty.
        path (Path): The image.
        unit (str): Label of the horizontal axis.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    title = 'error, mm' if any('MPJPE' in name for name in results) else 'validation'
    panels = [('loss', losses), (title, results)][: 1 + bool(results)]
    figure = Figure(figsize=(8, 4 * len(panels)), layout='constrained')
    FigureCanvasAgg(figure)
    all_axes = figure.subplots(len(panels), squeeze=False, sharex=True)[:, 0]
    for axes, (title, curves) in zip(all_axes, panels, strict=True):
        for name, curve in curves.items():
            places = sorted(curve)
            marker = 'o' if len(places) < 50 else ''
            axes.plot(places, [curve[x] for x in places], marker, ls='-', label=name)
        axes.set_ylabel(title)
        axes.grid(alpha=0.3)
        axes.legend(fontsize='small')
    if all(value > 0 for curve in losses.values() for value in curve.values()):
        all_axes[0].set_yscale('log')
    all_axes[-1].set_xlabel(unit)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=100)
