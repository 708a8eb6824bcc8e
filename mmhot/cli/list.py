"""List the models and weights that are shipped with mmhot.

Example:
  mmhot list
  mmhot list nanohtnet

`--all` and a pattern also list configs without weights. `--json` has the name of each
config, mmhot::TASK/ALGORITHM/DATASET/NAME.py, for `_base_`, tools and `--pose3d`.
"""

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from mmhot.cli.report import report
from mmhot.errors import align, did_you_mean

if TYPE_CHECKING:  # imported by `run`, as its imports take long
    from mmhot.weights.index import IndexedModel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        'pattern',
        nargs='?',
        default='',
        help='list only models with this text in their name, algorithm or task',
    )
    parser.add_argument(
        '--all', action='store_true', help='list configs without weights, too'
    )
    parser.add_argument('--json', action='store_true', help='print JSON, no tables')


def run(args: argparse.Namespace) -> None:
    """Print the tables or the JSON."""
    from mmhot.weights.index import read_models

    models = read_models()
    pattern = args.pattern.lower()
    only_shipped = not (pattern or args.all or args.json)
    chosen = [
        model
        for model in models
        if pattern in ' '.join([*_names_of(model), model.task]).lower()
        and (model.weights or not only_shipped)
    ]
    if not chosen:
        hint = did_you_mean(pattern, [name for x in models for name in _names_of(x)])
        raise ValueError(
            f'no model has {args.pattern!r} in its name, algorithm or task{hint}'
        )
    content = {
        'models': [_describe(model) for model in chosen],
        'weights': _describe_weights(chosen, is_whole=not pattern),
    }
    report(args, content, lambda: _tables(content, with_files=bool(pattern)))
    if only_shipped:
        args.say(f'and {len(models) - len(chosen)} configs to train: mmhot list --all')


def _names_of(model: 'IndexedModel') -> list[str]:
    """List the names that users may give, besides the task."""
    return [model.name, *model.aliases, model.algorithm.lower()]


def _describe(model: 'IndexedModel') -> dict:
    """Describe a model in plain values."""
    return asdict(model) | {
        'task': model.task,
        'config': model.config_name,
        'file': str(model.config),
        'weights': model.weights or None,
    }


def _describe_weights(models: 'list[IndexedModel]', is_whole: bool) -> list[dict]:
    """Describe the shipped weights of models; ``is_whole`` adds weights of no model."""
    from mmhot.weights.index import shipped_weights

    described = []
    for name, path in shipped_weights().items():
        users = [model.name for model in models if model.weights.endswith(name)]
        card = path.with_suffix('.md')
        if users or is_whole:
            about = {
                'name': f'mmhot://{name}',
                'models': users,
                'file': str(path),
                'bytes': path.stat().st_size,
                'card': str(card) if card.is_file() else None,
            }
            described.append(about)
    return described


def _tables(content: dict, with_files: bool) -> Iterator[str]:
    """Yield the table of models and, if wanted, lines on the weights."""
    head = ('alias', 'model', 'algorithm', 'task', 'parameters', 'MACs', 'weights')
    rows = [
        (
            ' '.join(model['aliases']) or '-',
            model['name'],
            model['algorithm'],
            model['task'],
            _readable(model['parameters']),
            _readable(model['macs']),
            'shipped' if model['weights'] else '-',
        )
        for model in content['models']
    ]
    yield align([head, *rows], left=4)
    for weights in content['weights'] if with_files else ():
        yield ''
        yield f'{weights["name"]}  {weights["bytes"] / 1e6:.1f} MB'
        yield f'  of    {", ".join(weights["models"]) or "-"}'
        yield f'  file  {weights["file"]}'
        yield f'  card  {weights["card"] or "-"}'


def _readable(number: int | None) -> str:
    """Return a number in millions or billions; a dash if it is unknown."""
    if number is None:
        return '-'
    return f'{number / 1e9:.2f} G' if number >= 1e9 else f'{number / 1e6:.2f} M'
