"""Measure the accuracy of GTPT's shipped weights with several keep rates.

The weights are not trained again. Each result is added to the .json at once, and a
repeated command continues. Examples::

    python -m tools.lab.measure_keep_rates run docs/images/keep_rates.json \
        data/rendered_people/train/val_00.npz
    python -m tools.lab.measure_keep_rates table docs/images/keep_rates.json
"""

import argparse
import sys
from pathlib import Path

from mmengine.runner import Runner
from torch import nn

from mmhot import compat
from mmhot.cli.errors import print_line, run_safely
from mmhot.cli.report import align
from mmhot.evaluation.cost import count_cost, input_shape
from mmhot.weights.config_files import read_config_file
from mmhot.weights.index import SCHEME
from tools.lab.short_training import CONFIGS, StudyFile, read_runs, study_parser

_WEIGHTS = 'gtpt-t_coco17_synth'
_CONFIG = CONFIGS.parent / f'body_2d_keypoint/gtpt/rendered/{_WEIGHTS}.py'
# The first keep all, the fourth are the published ones.
_RATES = (
    (1.0, 1.0, 1.0, 1.0),
    (1.0, 0.85, 0.6, 0.4),
    (1.0, 0.7, 0.5, 0.3),
    (1.0, 0.7, 0.3, 0.1),
    (1.0, 0.5, 0.2, 0.1),
    (1.0, 0.3, 0.1, 0.05),
)
_METRICS = ('coco/AP', 'coco/AP .5', 'coco/AR', 'PCK')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser, run = study_parser(__doc__.splitlines()[0])
    run.add_argument('data', type=Path, help='.npz of labeled people')
    run.add_argument('--people', type=int, help='only so many, the first of the file')
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """Measure what the file lacks."""
    compat.apply()
    file = StudyFile(args.results)
    runner = build_runner(args.data, args.people)
    shape = input_shape(runner.cfg, runner.model)
    for rates in _RATES:
        key = dict(rates=list(rates), people=len(runner.test_dataloader.dataset))
        if file.has(key):
            continue
        runner.model.head.keep_rates = rates
        measured = runner.test()
        macs = count_macs(runner.model, shape)
        metrics = {name: round(float(measured[name]), 4) for name in _METRICS}
        file.add(key | dict(macs=macs) | metrics)


def build_runner(data: Path, people: int | None) -> Runner:
    """Build a runner that tests the shipped weights on a file of labeled people."""
    config = read_config_file(str(_CONFIG))
    for name in ('train', 'val'):
        for part in ('cfg', 'dataloader'):
            config[f'{name}_{part}'] = None
    config.val_evaluator = config.optim_wrapper = config.param_scheduler = None
    # averages of weights are copied before these are loaded
    config.custom_hooks = []
    config.load_from = f'{SCHEME}{_WEIGHTS}'
    config.log_level = 'WARNING'
    config.work_dir = 'work_dirs/keep_rates'
    config.test_dataloader.update(num_workers=0, persistent_workers=False)
    dataset = config.test_dataloader.dataset
    dataset.update(data_root=str(data.parent), ann_file=data.name, indices=people)
    return Runner.from_cfg(config)


def count_macs(model: nn.Module, shape: tuple[int, ...]) -> int:
    """Count the multiply-adds of one crop, without the flip test."""
    inputs = next(model.parameters()).new_zeros(1, *shape)
    return count_cost(model, inputs, None, mode='tensor').macs


def print_table(args: argparse.Namespace) -> None:
    """Print the table."""
    runs = read_runs(args.results, 'rates')
    lines = [('keep rates', 'multiply-adds', 'of all', *_METRICS, 'people')]
    most = max(run['macs'] for run in runs)
    lines += [
        (
            ', '.join(f'{rate:g}' for rate in run['rates']),
            f'{run["macs"] / 1e9:.3f} G',
            f'{run["macs"] / most:.2f}',
            *(f'{run[name]:.3f}' for name in _METRICS),
            str(run['people']),
        )
        for run in runs
    ]
    print_line(align(lines, left=1))


def main() -> int:
    """Run the tool."""
    args = parse_args()
    command = dict(run=run, table=print_table)[args.command]
    return run_safely('measure_keep_rates.py', lambda: command(args))


if __name__ == '__main__':
    sys.exit(main())
