"""Compare models: time, operations, parameters and memory.

Example::

    python -m tools.lab.benchmark nanohtnet-243-9 nanohtnet-243-9:folded \
        --reference tcn-27 --batch 1 64 --threads 2 --out speed.json

A MODEL is a short name (``--list`` prints them), a config file, ``mmpose::CONFIG``,
``mmhot::CONFIG`` or ``mmhot://NAME`` of shipped weights, and may have options:
``MODEL:folded`` is rewritten for inference, ``MODEL:channels_last`` uses that memory
format, ``MODEL:KEY=VALUE`` changes a setting of its config, and
``MODEL:input=(243,17,2)`` gives the shape of an input where the config does not.

All models are timed in turns, in random order, in every round. The ratio is that of
turns in the same round: its median and quartiles, and, as best, that of the shortest
calls, which other programs on the machine disturb least. Times are of the network
alone, in evaluation mode, without a flip test. Operations are multiply-accumulates of
one input; products (attention and graphs) are among them. Memory is the peak: weights,
inputs and what a pass needs.

Of lifters there is also the time for each frame that comes out of a window, and for
each frame of a clip, where windows overlap as ``mmhot lift`` has them. A model that
leaves frames out gives one. ``--clip FRAMES`` lifts a clip with each, in such windows
and in windows one frame apart, and says how much longer these take.
"""

import argparse
import json
import sys

from mmhot.cli.errors import OneLineParser, run_safely
from mmhot.cli.report import align, output_file
from mmhot.io.atomic import replacing


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('models', nargs='*', metavar='MODEL', help='what to measure')
    parser.add_argument(
        '--reference', metavar='MODEL', help='what to compare with (default: the first)'
    )
    parser.add_argument(
        '--batch',
        nargs='+',
        type=_positive,
        default=[1],
        metavar='N',
        help='batch sizes (default: 1)',
    )
    parser.add_argument(
        '--threads', type=_positive, default=1, metavar='N', help='default: 1'
    )
    parser.add_argument(
        '--rounds', type=_positive, default=15, metavar='N', help='default: 15'
    )
    parser.add_argument(
        '--seconds',
        type=float,
        default=0.2,
        help='what a turn lasts, unless one call takes longer (default: 0.2)',
    )
    parser.add_argument('--device', default='cpu', help='cpu, cuda or cuda:N')
    parser.add_argument(
        '--amp', action='store_true', help='in automatic mixed precision'
    )
    parser.add_argument(
        '--no-memory', action='store_true', help='do not measure memory'
    )
    parser.add_argument(
        '--clip', type=_positive, metavar='FRAMES', help='lift so long a clip, too'
    )
    parser.add_argument(
        '--out', type=output_file, metavar='FILE', help='results as JSON'
    )
    parser.add_argument('--list', action='store_true', help='print the short names')
    args = parser.parse_args()
    if not args.models and not args.list:
        parser.error('name at least one MODEL, or use --list')
    return args


def benchmark(args: argparse.Namespace) -> None:
    """Measure as the arguments say."""
    from tqdm import tqdm

    from mmhot.installation.devices import choose_device
    from tools.lab.benchmark.comparison import (
        Settings,
        as_record,
        as_table,
        compare_clips,
        compare_models,
    )
    from tools.lab.benchmark.rows import ROWS, parse_row
    from tools.lab.benchmark.whole_clips import as_clip_table

    if args.list:
        print(align([*ROWS.items()], left=2))
        return
    rows = list(dict.fromkeys(parse_row(text) for text in args.models))
    reference = rows[0]
    if args.reference is not None:
        reference = parse_row(args.reference)
        rows = [reference, *(row for row in rows if row != reference)]
    settings = Settings(
        tuple(dict.fromkeys(args.batch)),
        args.rounds,
        args.seconds,
        args.threads,
        choose_device(args.device),
        args.amp,
        not args.no_memory,
        args.clip,
    )
    turns = len(rows) * len(settings.batch_sizes) * settings.rounds
    turns *= 3 if args.clip else 1
    clips = []
    with tqdm(total=turns, unit='turn', leave=False, disable=None) as bar:
        results = compare_models(rows, reference, settings, bar.update)
        if args.clip:
            clips = compare_clips(rows, settings, bar.update)
    print(align(as_table(results)))
    if clips:
        print(f'\nA clip of {args.clip} frames')
        print(align(as_clip_table(clips)))
    if args.out is not None:
        record = {'command': sys.argv, **as_record(results, clips, reference, settings)}
        with replacing(args.out) as temporary:
            temporary.write_text(json.dumps(record, indent=1) + '\n')


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f'{text} is not at least 1')
    return number


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('benchmark.py', lambda: benchmark(args))


if __name__ == '__main__':
    sys.exit(main())
