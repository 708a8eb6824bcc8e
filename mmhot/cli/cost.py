"""Count a model's parameters and multiply-adds by part, and time it.

Example:
  mmhot cost nanohtnet

Multiply-adds are per input, and include the products of attention and graphs.
The time is measured on the plain network with random weights, as in training.
"""

import argparse
from collections.abc import Iterator

from mmhot.apis.options import CostOptions
from mmhot.cli.options import add_options, read_values
from mmhot.cli.report import add_report_arguments, report
from mmhot.errors import align


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        'config',
        help='config file, PACKAGE::CONFIG or name in `mmhot list`',
    )
    add_options(parser, CostOptions)
    add_report_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Print the table or the JSON."""
    from mmhot.apis.inspection import measure_cost

    content = measure_cost(args.config, **read_values(args, CostOptions).stated)
    report(args, content, lambda: _tables(content))


def _tables(content: dict) -> Iterator[str]:
    total = content['total']
    rows = [('part', 'parameters', 'multiply-adds', 'share', 'products')]
    for name, cost in [*content['layers'].items(), ('total', total)]:
        numbers = (f'{cost[x]:,}' for x in ('parameters', 'macs', 'product_macs'))
        parameters, macs, products = numbers
        share = cost['macs'] / total['macs'] if total['macs'] else 0
        rows.append((name, parameters, macs, f'{share:.1%}', products))
    yield f'{content["config"]}, input {tuple(content["input"])}'
    yield align(rows)
    if 'time' in content:
        time = content['time']
        where = time['device']
        where += f', {time["threads"]} threads' if where == 'cpu' else ''
        yield f'{1000 * time["seconds"]:.2f} ms a batch of {time["batch"]} ({where})'
