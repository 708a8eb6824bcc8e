"""List the models and weights that are shipped with mmhot.

Example:
  mmhot list
  mmhot list nanohtnet

`--all` and a pattern also list configs without weights.
"""

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mmhot.cli.errors import print_text
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


def run(args: argparse.Namespace) -> None:
    """Print the table, and lines on the weights of models that match a pattern."""
    from mmhot.weights.index import read_models

    models = read_models()
    pattern = args.pattern.lower()
    only_shipped = not (pattern or args.all)
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
    for text in _tables(chosen, with_files=bool(pattern)):
        print_text(text)
    if only_shipped:
        args.say(f'and {len(models) - len(chosen)} configs to train: mmhot list --all')


def _names_of(model: 'IndexedModel') -> list[str]:
    """List the names that users may give, besides the task."""
    return [model.name, *model.aliases, model.algorithm.lower()]


def _tables(models: 'list[IndexedModel]', with_files: bool) -> Iterator[str]:
    """Yield the table of models and, if wanted, lines on their shipped weights."""
    from mmhot.weights.index import shipped_weights

    head = ('alias', 'model', 'algorithm', 'task', 'parameters', 'MACs', 'weights')
    rows = [
        (
            ' '.join(model.aliases) or '-',
            model.name,
            model.algorithm,
            model.task,
            _readable(model.parameters),
            _readable(model.macs),
            'shipped' if model.weights else '-',
        )
        for model in models
    ]
    yield align([head, *rows], left=4)
    for name, path in shipped_weights().items() if with_files else ():
        users = [model.name for model in models if model.weights.endswith(name)]
        if users:
            yield ''
            yield f'mmhot://{name}  {path.stat().st_size / 1e6:.1f} MB'
            yield f'  of    {", ".join(users)}'
            yield f'  file  {path}'
            yield f'  card  {path.with_suffix(".md")}'


def _readable(number: int | None) -> str:
    """Return a number in millions or billions; a dash if it is unknown."""
    if number is None:
        return '-'
    return f'{number / 1e9:.2f} G' if number >= 1e9 else f'{number / 1e6:.2f} M'
