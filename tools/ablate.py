r"""Train and test a config with each combination of settings, for several seeds.

Example::

    python tools/ablate.py configs/body_3d_keypoint/hot/cmu_mocap/CONFIG.py --seeds 3 \
        --grid pruner.num_keep=27,9 pruner.type=ClusterPruner,UniformPruner \
        --grid pruner=None recoverer=None --out ablation

Each combination has a folder, with one folder a seed. Run it again after an
interruption: what is complete is skipped, what is not is resumed. It prints means (and
standard deviations) over the seeds, and writes them to ``ablation.json`` and
``ablation.png``. Models take turns when they are timed, relative to the config without
pruning.
"""

import argparse
import json
import sys
from itertools import product
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from mmengine.config import Config, DictAction
from mmengine.device import get_device

import mmhot.plugin  # noqa: F401 registers what configs name
from mmhot.cli.errors import print_line, print_text, run_tool
from mmhot.io.arrays import load_json
from mmhot.io.atomic import replacing
from mmhot.weights.config_files import read_config_file
from mmhot.weights.loading import build_model

sys.path.insert(0, str(Path(__file__).parents[1]))  # for `tools`, in scripts, too

from tools import test, train
from tools.analysis.cost import input_shape
from tools.benchmark.timing import time_models
from tools.runner import add_config_options, describe_options, merge_options
from tools.sweep import draw_rows, format_rows

_BACKBONE = 'model.backbone'
_SETTINGS = 'settings.json'  # resolved config of the training
_RESULT = 'result.json'  # errors and costs of the test


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--grid',
        nargs='+',
        action='append',
        required=True,
        metavar='KEY=VALUES',
        help='settings and their values, which are combined; pruner and recoverer are '
        'parts of model.backbone; repeat the option for other combinations',
    )
    parser.add_argument('--seeds', type=int, default=3, help='(default: 3)')
    parser.add_argument('--out', type=Path, required=True, help='folder for all files')
    parser.add_argument('--amp', action='store_true', help='as of train.py')
    parser.add_argument('--sample', action='store_true', help='as of train.py')
    add_config_options(parser)


def main(args: argparse.Namespace) -> None:
    """Train, test, time and compare."""
    cells: dict[str, dict[str, Any]] = {}
    for settings in args.grid:
        for options in combine(settings):
            name = describe_options(options).lstrip('_')
            if cells.setdefault(name, options) is not options:
                raise ValueError(f'--grid: two combinations are named {name}')
    rows = [summarize(name, options, args) for name, options in cells.items()]
    times = compare_times(cells, args)
    for row, time in zip(rows, times, strict=True):
        row.update(time)
    print_text(format_rows(rows))
    with replacing(args.out / 'ablation.json') as temporary:
        temporary.write_text(json.dumps(rows, indent=2), encoding='utf-8')
    draw_rows(rows, args.out / 'ablation.png', '')


def combine(settings: list[str]) -> list[dict[str, Any]]:
    """Combine the values of settings ``KEY=VALUES``.

    Raises:
        ValueError: If a text is of another form.

    Example:
        >>> combine(['pruner.num_keep=27,9', 'model.backbone.depth=5'])[1]
        {'model.backbone.pruner.num_keep': 9, 'model.backbone.depth': 5}
    """
    values = {}
    for text in settings:
        key, _, listed = text.partition('=')
        if not key or not listed:
            raise ValueError(f'--grid: got {text!r}, wanted KEY=VALUE,VALUE')
        if key.partition('.')[0] in ('pruner', 'recoverer'):
            key = f'{_BACKBONE}.{key}'
        values[key] = DictAction._parse_iterable(f'[{listed}]')
    return [dict(zip(values, each, strict=True)) for each in product(*values.values())]


def summarize(
    name: str, options: dict[str, Any], args: argparse.Namespace
) -> dict[str, Any]:
    """Train and test a combination, and average over its seeds."""
    results = [run(name, options, seed, args) for seed in range(args.seeds)]
    first = results[0]
    metrics = [key for key, value in first.items() if isinstance(value, float)]
    measured = {key: [result[key] for result in results] for key in metrics}
    return dict(
        model=name,
        **{key: first['cost'][key] for key in first['cost'] if key != 'time'},
        metrics={key: fmean(values) for key, values in measured.items()},
        deviations={
            key: stdev(values) if len(values) > 1 else 0.0
            for key, values in measured.items()
        },
    )


def run(
    name: str, options: dict[str, Any], seed: int, args: argparse.Namespace
) -> dict[str, Any]:
    """Train and test a combination with a seed, unless that is complete.

    Raises:
        ValueError: If its folder has results of other settings.
    """
    folder = args.out / name / f'seed{seed}'
    options = {**(args.cfg_options or {}), **options, 'randomness.seed': seed}
    shared = ['--work-dir', str(folder), *(['--sample'] if args.sample else [])]
    amp = ['--amp'] if args.amp else []
    training = parse(train, [args.config, '--resume', '--no-validate', *amp, *shared])
    training.cfg_options = options
    settings = json.dumps(train.configure(training).to_dict(), indent=2, default=str)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / _SETTINGS
    if file.exists() and file.read_text(encoding='utf-8') != settings:
        raise ValueError(f'{folder} has results of other settings: set another --out')
    file.write_text(settings, encoding='utf-8')
    if not (folder / _RESULT).exists():
        print_line(f'{name}, seed {seed}')
        train.main(training)
        checkpoint = (folder / 'last_checkpoint').read_text(encoding='utf-8')
        out = ['--out', str(folder / _RESULT)]
        testing = parse(test, [args.config, checkpoint, *out, *shared])
        testing.cfg_options = options
        test.main(testing)
    return load_json(folder / _RESULT)


def parse(tool: Any, words: list[str]) -> argparse.Namespace:
    """Return the arguments of ``tools/train.py`` or ``tools/test.py``."""
    parser = argparse.ArgumentParser()
    tool.add_arguments(parser)
    return parser.parse_args(words)


def compare_times(
    cells: dict[str, dict[str, Any]], args: argparse.Namespace
) -> list[dict]:
    """Time the models of all combinations in turns with the config without pruning."""
    models = {}
    shape: tuple[int, ...] = ()
    for name, options in {'': {}, **cells}.items():
        config = read_config_file(args.config)
        merge_options(config, {**(args.cfg_options or {}), **options})
        if not name:
            drop_pruning(config)
        model = build_model(config.model, args.config)
        shape = shape or input_shape(config, model)
        models[name] = model.eval().to(get_device())
    return [*time_models(models, shape, get_device()).values()][1:]


def drop_pruning(config: Config) -> None:
    """Make a config keep all tokens, in place."""
    if 'keep_rates' in config.model.get('head', {}):
        config.model.head.keep_rates = None
    else:
        config.model.backbone.update(pruner=None, recoverer=None)


if __name__ == '__main__':
    run_tool(add_arguments, main)
