"""Measure a lifter on the same motions, framed as people film them.

Prints MPJPE and P-MPJPE in millimeters, for true and for noisy 2D keypoints, in the
framings of :mod:`tools.lab.framings`. Example::

    python -m tools.lab.measure_framings --stride 20
"""

import argparse
import sys

from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import output_file
from tools.lab.benchmark.motions import add_lifter_arguments, open_motions


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    add_lifter_arguments(parser)
    parser.add_argument('--split', default='val', help='motions to use')
    parser.add_argument(
        '--stride', type=int, default=10, help='frames from one window to the next'
    )
    parser.add_argument('--out', type=output_file, help='write the table as JSON, too')
    return parser.parse_args()


def measure(args: argparse.Namespace) -> None:
    """Print the table."""
    if args.stride < 1:
        raise ValueError(f'--stride must be at least 1, got {args.stride}')
    import torch
    from mmengine.fileio import dump
    from tqdm import tqdm

    from mmhot.io.atomic import replacing
    from mmhot.lifting.lifter import Lifter
    from tools.lab.framings import FRAMINGS, measure_framing

    lifter = Lifter(args.model, args.checkpoint)
    dataset = open_motions(
        args.data_root,
        args.split,
        fps=lifter.fps,
        seq_len=lifter.seq_len,
        stride=args.stride,
    )
    table = {}
    total = len(FRAMINGS) * len(dataset)
    with tqdm(total=total, unit='window', leave=False, disable=None) as bar:
        for name, framing in FRAMINGS.items():
            with torch.inference_mode():
                table[name] = measure_framing(
                    lifter.predict, dataset, framing, lifter.batch_size, bar.update
                )
    print_table(table)
    if args.out:
        with replacing(args.out) as temporary:
            dump(dict(model=lifter.name, stride=args.stride, mm=table), temporary)


def print_table(table: dict[str, dict[str, float]]) -> None:
    """One row a framing; the last column compares noisy MPJPE with the centered one."""
    columns = list(next(iter(table.values())))
    header = ''.join(f'{name:>15}' for name in columns)
    print_line(f'{"framing":<28}{header}{"of centered":>12}')
    reference = table['centered']['noisy MPJPE']
    for name, row in table.items():
        values = ''.join(f'{row[column]:>15}' for column in columns)
        print_line(f'{name:<28}{values}{row["noisy MPJPE"] / reference:>11.2f}x')


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('measure_framings.py', lambda: measure(args))


if __name__ == '__main__':
    sys.exit(main())
