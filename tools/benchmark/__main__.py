"""Time models and the chain in turns, count costs; write tables into a page.

Each part is a module of this package. Examples::

    python -m tools.benchmark models gtpt-t:onnx nanohtnet:onnx
    python -m tools.benchmark hourglasses --threads 2 --page docs/benchmarks.md
    python -m tools.benchmark chain demo/walk.mp4 demo/dance.mp4
    python -m tools.benchmark costs --page configs/README.md

Whatever is timed takes a turn in every round, in random order. The ratio compares turns
of the same round: its median and quartiles, and, as best, the ratio of the shortest
calls, which other programs on the machine disturb least. ``--page`` replaces the part's
table in a page.
"""

import argparse
import os
from pathlib import Path
from types import ModuleType

import torch

from mmhot.cli.errors import OneLineParser, print_text, run_tool
from mmhot.errors import require_file
from tools.benchmark import chain, costs, models, page

PARTS: dict[str, ModuleType] = {
    'models': models,
    'hourglasses': models,
    'chain': chain,
    'costs': costs,
}
"""Modules with ``add_arguments(parser)`` and ``measure(args)``, which returns cells."""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(
        prog='benchmark',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest='part', required=True)
    for name, module in PARTS.items():
        part = commands.add_parser(
            name,
            help=(module.__doc__ or '').partition('\n')[0],
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(part)
        for option, default in (('threads', 1), ('rounds', 5)):
            part.add_argument(
                f'--{option}',
                type=int,
                default=default,
                metavar='N',
                help=f'(default: {default})',
            )
        part.add_argument('--page', type=Path, metavar='FILE', help='.md file')
        part.add_argument('--note', default='', help='about the machine, for the page')
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Measure and print a part, and write it into the page."""
    if args.page is not None:
        require_file(args.page)
    torch.set_num_threads(args.threads)
    # of sessions of ONNX Runtime, which are opened later
    os.environ['OMP_NUM_THREADS'] = str(args.threads)
    rows, facts = PARTS[args.part].measure(args), ''
    if args.part != 'costs':
        facts = page.describe_machine(args.threads, args.rounds, args.note)
    table = page.as_markdown(rows, facts)
    print_text(table)
    if args.page is not None:
        page.write_table(args.page, args.part, table)


if __name__ == '__main__':
    run_tool(parse_args, main, 'benchmark')
