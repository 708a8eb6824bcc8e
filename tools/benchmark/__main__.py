"""Time models and the chain in turns; write what was measured into a page.

Each part is a module of this package. Examples::

    python -m tools.benchmark models nanohtnet-243-9:onnx --reference tcn-27:onnx
    python -m tools.benchmark hourglasses --threads 2 --out docs/benchmarks.json
    python -m tools.benchmark chain demo/walk.mp4 demo/dance.mp4
    python -m tools.benchmark gpu --out gpu.json
    python -m tools.benchmark launches
    python -m tools.benchmark costs configs/README.md
    python -m tools.benchmark page docs/benchmarks.json docs/benchmarks.md

Whatever is timed takes a turn in every round, in random order. The ratio compares turns
of the same round: its median and quartiles, and, as best, the ratio of the shortest
calls, which other programs on the machine disturb least. ``--out`` replaces the part of
a JSON file and keeps the others.
"""

import argparse
import os
import sys
from types import ModuleType

import torch

from mmhot.cli.errors import OneLineParser, print_text, run_safely
from mmhot.cli.report import output_file
from mmhot.errors import align
from tools.benchmark import (
    chain,
    costs,
    gpu,
    hourglasses,
    launches,
    models,
    page,
    record,
)

PARTS: dict[str, ModuleType] = {
    'models': models,
    'hourglasses': hourglasses,
    'chain': chain,
    'gpu': gpu,
    'launches': launches,
}
"""Modules with ``add_arguments(parser)`` and ``measure(args)``, which returns rows."""


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
                type=positive,
                default=default,
                metavar='N',
                help=f'(default: {default})',
            )
        part.add_argument('--out', type=output_file, metavar='FILE', help='JSON file')
        part.add_argument('--note', default='', help='about the machine, for the file')
    costs.add_arguments(commands.add_parser('costs', help=costs.__doc__))
    page.add_arguments(
        commands.add_parser('page', help=(page.__doc__ or '').partition('\n')[0])
    )
    return parser.parse_args()


def positive(text: str) -> int:
    """Read a number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f'{text} is not at least 1')
    return number


def run(args: argparse.Namespace) -> None:
    """Measure and print a part, or write the page."""
    if args.part == 'page':
        page.write_page(args)
        return
    if args.part == 'costs':
        table = costs.make_table()
        print_text(table)
        if args.page is not None:
            page.write_table(args.page, 'costs', table)
        return
    torch.set_num_threads(args.threads)
    # of sessions of ONNX Runtime, which are opened later
    os.environ['OMP_NUM_THREADS'] = str(args.threads)
    rows = PARTS[args.part].measure(args)
    print_text(align(page.as_cells(rows)))
    if args.out is not None:
        record.write_part(args.out, args.part, rows, args)


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('benchmark', lambda: run(args))


if __name__ == '__main__':
    sys.exit(main())
