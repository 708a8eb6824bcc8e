"""Curves of a training: losses and validation results as one image."""

import json
from collections import defaultdict
from pathlib import Path

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmpose.registry import HOOKS

from mmhot.io.atomic import replacing

Curves = dict[str, dict[float, float]]


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


_NO_RESULTS = ('step', 'time', 'data_time', 'memory', 'lr', 'base_lr', 'epoch', 'iter')


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

    panels = [('loss', losses), ('validation', results)][: 1 + bool(results)]
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
