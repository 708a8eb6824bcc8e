"""Compare models: time, operations, parameters and memory.

Example::

    python -m tools.lab.benchmark nanohtnet-243-9 nanohtnet-243-9:onnx \
        --reference tcn-27 --batch 1 64 --threads 2 --out speed.json

A MODEL is a short name (see ``--list``), a config file, ``mmpose::CONFIG``,
``mmhot::CONFIG`` or ``mmhot://NAME`` of shipped weights, and may have options:
``MODEL:channels_last`` uses that memory format, ``MODEL:KEY=VALUE`` changes a setting
of its config, and ``MODEL:input=(243,17,2)`` defines the shape of an input if the
config does not.

Models are timed in turns, in random order, in every round. The ratio compares turns of
the same round: its median and quartiles, and, as best, the ratio of the shortest calls,
which other programs on the machine disturb least. Times are of the network alone, in
evaluation mode, without a flip test. Operations are multiply-accumulates of one input;
products (attention and graphs) are among them. Memory is the peak of weights, inputs
and activations.

Lifters also have the time per predicted frame of a window, and per frame of a clip,
whose windows overlap as in ``mmhot lift``. A pruned model without recovery predicts one
frame. ``--clip FRAMES`` lifts a clip with each model, with these windows and with
windows one frame apart.
"""

import argparse
import json
import sys

from tqdm import tqdm

from mmhot.cli.errors import OneLineParser, run_safely
from mmhot.cli.report import align, output_file
from mmhot.compat.installation import choose_device
from mmhot.io.atomic import replacing
from tools.lab.benchmark.comparison import (
    Settings,
    as_record,
    as_table,
    compare_clips,
    compare_models,
)
from tools.lab.benchmark.model_specs import MODELS, parse_spec
from tools.lab.benchmark.timing import as_clip_table


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(
        prog='benchmark',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('models', nargs='*', metavar='MODEL', help='models to measure')
    parser.add_argument(
        '--reference', metavar='MODEL', help='of the ratios (default: the first model)'
    )
    parser.add_argument(
        '--batch',
        nargs='+',
        type=_positive,
        default=[1],
        metavar='N',
        help='batch sizes (default: 1)',
    )
    for name, default in (('threads', 1), ('rounds', 15)):
        parser.add_argument(
            f'--{name}',
            type=_positive,
            default=default,
            metavar='N',
            help=f'default: {default}',
        )
    parser.add_argument(
        '--seconds',
        type=float,
        default=0.2,
        help='minimum duration of a turn (default: 0.2)',
    )
    parser.add_argument('--device', default='cpu', help='cpu, cuda or cuda:N')
    parser.add_argument(
        '--amp', action='store_true', help='use automatic mixed precision'
    )
    parser.add_argument(
        '--no-memory', action='store_true', help='do not measure memory'
    )
    parser.add_argument(
        '--clip', type=_positive, metavar='FRAMES', help='also lift a clip this long'
    )
    parser.add_argument(
        '--out', type=output_file, metavar='FILE', help='also write results as JSON'
    )
    parser.add_argument('--list', action='store_true', help='print the short names')
    args = parser.parse_args()
    if not args.models and not args.list:
        parser.error('name at least one MODEL, or use --list')
    return args


def benchmark(args: argparse.Namespace) -> None:
    """Measure and print."""
    if args.list:
        print(align([*MODELS.items()], left=2))
        return
    specs = list(dict.fromkeys(parse_spec(text) for text in args.models))
    reference = specs[0]
    if args.reference is not None:
        reference = parse_spec(args.reference)
        specs = [reference, *(spec for spec in specs if spec != reference)]
    settings = Settings(
        batch_sizes=tuple(dict.fromkeys(args.batch)),
        rounds=args.rounds,
        seconds=args.seconds,
        threads=args.threads,
        device=choose_device(args.device),
        amp=args.amp,
        memory=not args.no_memory,
        clip=args.clip,
    )
    turns = len(specs) * len(settings.batch_sizes) * settings.rounds
    turns *= 3 if args.clip else 1
    clips = []
    with tqdm(total=turns, unit='turn', leave=False, disable=None) as bar:
        results = compare_models(specs, reference, settings, bar.update)
        if args.clip:
            clips = compare_clips(specs, settings, bar.update)
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
    return run_safely('benchmark', lambda: benchmark(args))


if __name__ == '__main__':
    sys.exit(main())
