"""Convert a checkpoint of a paper's published code to MMPose's format.

Example::

    python tools/convert_checkpoint.py published.pth nanohtnet.pth --settings heads=8
"""

import argparse
import sys
from pathlib import Path

from mmhot.cli.errors import output_file, run_tool

sys.path.insert(0, str(Path(__file__).parents[1]))  # for `tools`, in scripts, too

from tools.model_converters.conversion import convert_file
from tools.runner import KeyValueAction


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('source', type=Path, help='published checkpoint')
    parser.add_argument('target', type=output_file, help='checkpoint to write')
    parser.add_argument(
        '--weights',
        choices=('ema', 'model'),
        default='ema',
        help='which weights to convert if the file has two sets: the moving average '
        '(default) or the optimized ones (model)',
    )
    parser.add_argument(
        '--settings',
        nargs='+',
        default={},
        action=KeyValueAction,
        metavar='NAME=VALUE',
        help="settings that the weights' shapes do not determine, by the paper's names",
    )


def main(args: argparse.Namespace) -> None:
    """Convert the checkpoint, and print its model's settings."""
    config = convert_file(args.source, args.target, args.weights, **args.settings)
    sizes = ', '.join(
        f'{name} {value}'
        for name, value in config['backbone'].items()
        if name != 'type'
    )
    print(f'{config["backbone"]["type"]}: {sizes}')
    print(f'written to {args.target}')


if __name__ == '__main__':
    run_tool(add_arguments, main)
