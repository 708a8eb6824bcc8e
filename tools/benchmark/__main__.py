"""Time models and the chain in turns, count costs; print tables for the pages.

Each part is a module of this package. Examples::

    python -m tools.benchmark models gtpt-t:onnx nanohtnet:onnx
    python -m tools.benchmark hourglasses --threads 2
    python -m tools.benchmark chain demo/walk.mp4 demo/dance.mp4
    python -m tools.benchmark costs
    python -m tools.benchmark data CONFIG

Whatever is timed takes a turn in every round, in random order. The ratio compares turns
of the same round: its median and quartiles.
"""

import argparse
import os
from types import ModuleType

import torch

from mmhot.cli.errors import print_text, run_tool
from tools.benchmark import chain, costs, data, models, page

PARTS: dict[str, ModuleType] = {
    'models': models,
    'hourglasses': models,
    'chain': chain,
    'costs': costs,
    'data': data,
}
"""Modules with ``add_arguments(parser)`` and ``measure(args)``, which returns cells."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the parts and their arguments."""
    parser.description = __doc__
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
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


def main(args: argparse.Namespace) -> None:
    """Measure and print a part."""
    torch.set_num_threads(args.threads)
    # Sessions of ONNX Runtime, which are opened later, read this variable.
    os.environ['OMP_NUM_THREADS'] = str(args.threads)
    rows = PARTS[args.part].measure(args)
    facts = ''
    if args.part != 'costs':
        facts = page.describe_machine(args.threads, args.rounds)
    print_text(page.as_markdown(rows, facts))


if __name__ == '__main__':
    run_tool(add_arguments, main, 'benchmark')
