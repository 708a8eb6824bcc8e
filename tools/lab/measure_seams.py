"""Measure whether clips jump where the chunks meet in which they are lifted.

Lifts motion capture with a model that gives all frames of its window and prints, for
several distances between chunks, MPJPE and how much errors change from one frame to the
next: where a chunk begins or ends, elsewhere in overlaps, and in the rest. Example::

    python -m tools.lab.measure_seams --model CONFIG --checkpoint CHECKPOINT
"""

import argparse
import sys
from dataclasses import asdict

from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import output_file
from tools.lab.benchmark.motions import add_lifter_arguments, open_motions


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    add_lifter_arguments(parser)
    parser.add_argument('--split', default='val', help='motions to use')
    parser.add_argument(
        '--stride',
        type=int,
        nargs='+',
        help='frames from one chunk to the next (default: those of half a chunk, of '
        'two thirds, which is what mmhot lift does, and of all: no overlap)',
    )
    parser.add_argument('--out', type=output_file, help='write the table as JSON, too')
    return parser.parse_args()


def measure(args: argparse.Namespace) -> None:
    """Print one row a distance."""
    import torch
    from mmengine.fileio import dump
    from tqdm import tqdm

    from mmhot.io.atomic import replacing
    from mmhot.lifting.lifter import Lifter
    from tools.lab.seams import chunk_lifter, measure_seams

    lifter = Lifter(args.model, args.checkpoint)
    lift, length = chunk_lifter(lifter), lifter.seq_len
    strides = args.stride or [length - length // 2, length - length // 3, length]
    if not all(1 <= stride <= length for stride in strides):
        raise ValueError(f'--stride must be from 1 to {length}, got {strides}')
    dataset = open_motions(args.data_root, args.split, fps=lifter.fps, seq_len=length)
    total, rows = len(strides) * len(dataset.clips), []
    with (
        tqdm(total=total, unit='clip', leave=False, disable=None) as bar,
        torch.inference_mode(),
    ):
        for stride in strides:
            rows.append(measure_seams(lift, dataset, length, stride, bar.update))
    print_line(
        f'{"stride":>6}{"frames":>9}{"seams":>8}{"MPJPE":>9}{"at seams":>11}'
        f'{"in fades":>11}{"elsewhere":>12}{"moved":>9}   (mm)'
    )
    for row in rows:
        print_line(
            f'{row.stride:>6}{row.frames:>9}{row.seams:>8}{row.error:>9.2f}'
            f'{row.at_seams:>11.2f}{row.in_fades:>11.2f}{row.elsewhere:>12.2f}'
            f'{row.moved:>9.2f}'
        )
    if args.out:
        with replacing(args.out) as temporary:
            dump(dict(model=lifter.name, seams=[*map(asdict, rows)]), temporary)


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('measure_seams.py', lambda: measure(args))


if __name__ == '__main__':
    sys.exit(main())
