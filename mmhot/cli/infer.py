"""Lift the people of videos and images to 3D: detect, track, lift, write.

Example:
  mmhot infer walk.mp4 --formats npz,html,mp4

Inputs are video files, images, folders and globs of either, files of 2D keypoints (see
`mmhot lift --help`), and lists (.txt) with one of these per line. 2D keypoints and
tracks are cached beside the results and reused by later runs, with another lifter or
after an interruption.
"""

import argparse
import math
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING

from mmhot.apis.options import RayOptions
from mmhot.chain.options import InferRunOptions, LiveOptions, check_inputs
from mmhot.cli.errors import handling
from mmhot.cli.options import add_options, given_options, read_options
from mmhot.errors import ArgumentError

if TYPE_CHECKING:  # importing them takes seconds
    from mmhot.chain.outcome import Outcome
    from mmhot.frames.inputs import ClipInput

# Seconds in which another Ctrl-C does not interrupt saving.
_SAVING = 3.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.usage = '%(prog)s INPUT [INPUT ...] [OPTION ...]'
    parser.add_argument(
        'inputs',
        nargs='+',
        metavar='INPUT',
        help='videos, images, folders, globs, keypoint files, lists of these',
    )
    add_options(parser, InferRunOptions)
    live = parser.add_argument_group(
        'streams', 'a webcam (0), rtsp://... or http://..., see docs/streaming.md'
    )
    live.add_argument(
        '--live',
        action='store_true',
        help='lift in real time: drop frames to keep up, and append poses to '
        'OUT_DIR/NAME.jsonl; video files are played',
    )
    add_options(live, LiveOptions)
    ray = parser.add_argument_group('many inputs')
    ray.add_argument(
        '--runner',
        choices=('local', 'ray'),
        default='local',
        help='local: one input after the other; ray: several at once (default: local)',
    )
    add_options(ray, RayOptions)


def run(args: argparse.Namespace) -> int:
    """Lift all inputs; one that fails does not stop the others."""
    _check_groups(args)
    options = read_options(args, InferRunOptions)
    if args.live:
        return _run_live(args, options)
    last = -math.inf

    def interrupt(number: int, frame: FrameType | None) -> None:
        """Raise KeyboardInterrupt, but not while results so far are saved."""
        nonlocal last
        if time.monotonic() - last > _SAVING:
            last = time.monotonic()
            signal.default_int_handler(number, frame)

    with handling(interrupt, 'SIGINT'):
        return _run_inputs(args, options)


def _run_inputs(args: argparse.Namespace, options: InferRunOptions) -> int:
    """Lift all inputs, which are no streams, and print their times."""
    if args.is_process and args.runner == 'local':
        from mmhot.chain.ahead import open_defaults_ahead

        open_defaults_ahead(options)
    from mmhot.cli.report import report_outcomes
    from mmhot.frames.inputs import find_inputs

    ray = read_options(args, RayOptions)
    inputs = find_inputs(args.inputs, **options.of_files())
    check_inputs(options, inputs)
    more = '; the same command with --resume continues from here'
    more = '' if options.no_cache else more
    outcomes = _process(args, inputs, options, ray)
    return report_outcomes(args, outcomes, len(inputs), more)


def _check_groups(args: argparse.Namespace) -> None:
    """Refuse options of a mode that was not chosen."""
    if args.live and len(args.inputs) > 1:
        raise ValueError(f'--live takes one stream, got {" ".join(args.inputs)}')
    if args.live and 'formats' in args:
        raise ValueError('--formats cannot be combined with --live: it writes .jsonl')
    if args.live and args.runner != 'local':
        raise ValueError('--runner cannot be combined with --live')
    for options, needed, is_chosen in (
        (LiveOptions, '--live', args.live),
        (RayOptions, '--runner ray', args.runner == 'ray'),
    ):
        for name in () if is_chosen else given_options(args, options):
            raise ArgumentError(f'{{{name}}} needs %s', needed)
    if args.runner == 'ray' and args.device not in (None, 'cpu', 'cuda'):
        raise ValueError(
            '--device must be cpu or cuda with --runner ray, which assigns GPUs, got '
            f'{args.device!r}'
        )


def _run_live(args: argparse.Namespace, options: InferRunOptions) -> int:
    """Lift a stream; the exit code is 1 if it was lost for good."""
    from mmhot.apis.stream import lift_stream

    live, stop = read_options(args, LiveOptions), threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.default_int_handler)  # for another Ctrl-C
        stop.set()

    with handling(end, 'SIGINT', 'SIGTERM'):
        lost = lift_stream(args.inputs[0], options, live, args.say, args.bars, stop)
    if lost:
        args.complain(lost)
    return int(lost is not None)


def _process(
    args: argparse.Namespace,
    inputs: Sequence['ClipInput'],
    options: InferRunOptions,
    ray: RayOptions,
) -> Iterator['Outcome']:
    from mmhot.io.results import result_files, results_folder

    folder, formats = options.out_dir, options.formats
    targets = [(x.path, result_files(folder, x.name, formats)) for x in inputs]
    with results_folder(folder, targets, [*(x.path for x in inputs), *options.files]):
        if args.runner == 'ray':
            from mmhot.apis.ray_runner import process_with_ray

            yield from process_with_ray(inputs, options, ray, args.say, args.quiet)
            return
        from mmhot.chain.worker import ClipWorker

        worker = ClipWorker(options, args.say, args.bars)
        # a model that cannot be loaded fails for all inputs
        worker.prepare(not all(item.has_keypoints for item in inputs))
        yield from map(worker, inputs)
