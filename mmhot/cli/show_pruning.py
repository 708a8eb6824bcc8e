"""Show which patches of an image a GTPT keeps, by layer and keypoint group.

Example:
  mmhot show-pruning person.jpg --bbox 40,10,200,380 --out kept.png
  mmhot show-pruning person.jpg gtpt.py gtpt.pth --bbox 40,10,200,380 --out kept.png

Each column is a range of layers, each row a group of keypoints.
"""

import argparse
from pathlib import Path

from mmhot.apis.options import PruningOptions
from mmhot.cli.options import add_options, read_values
from mmhot.cli.report import output_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('image', type=Path, help='image of a person')
    parser.add_argument(
        'config',
        nargs='?',
        default='gtpt-t',
        help='config of a GTPT, or the name of one (default: gtpt-t)',
    )
    parser.add_argument(
        'checkpoint', nargs='?', help='its weights (default: those of the named model)'
    )
    parser.add_argument(
        '--out', type=output_file, required=True, metavar='FILE', help='.png to write'
    )
    add_options(parser, PruningOptions)


def run(args: argparse.Namespace) -> None:
    """Draw and write the image."""
    if args.out.suffix != '.png':
        raise ValueError(f'--out must be a .png file, got {args.out}')

    from mmhot.apis.inspection import show_pruning
    from mmhot.io.images import read_image, write_png

    chosen = read_values(args, PruningOptions).stated
    image = read_image(args.image)
    drawing, trace = show_pruning(image, args.config, args.checkpoint, **chosen)
    write_png(args.out, drawing)
    args.say(f'{args.out}: {len(trace.stages)} stages of {len(trace.groups)} groups')
