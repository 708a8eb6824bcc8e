"""Lift the people of videos and images to 3D: detect, track, lift, write.

Example:
  mmhot infer walk.mp4 --formats npz,html,mp4

Inputs are video files, images, and folders and globs of either. 2D keypoints and tracks
are cached beside the results and reused by later runs, with another lifter or after an
interruption.
"""

import argparse
import math
import signal
import time
from collections.abc import Callable
from types import FrameType

from mmhot.cli.errors import OneLineParser
from mmhot.cli.options import add_inputs
from mmhot.cli.report import report_outcomes
from mmhot.cli.signals import handling

_FOR_USERS = """\
for Blender, see docs/animation.md:     --formats glb --joints 24
for a robot, see docs/animation.md:     --formats bvh --bvh-profile lafan1
for gait, see docs/biomechanics.md:     --formats gait.csv,angles.csv --height METERS
"""
_SAVING = 3.0  # seconds in which another Ctrl-C does not interrupt saving


def add_arguments(parser: OneLineParser) -> None:
    """Declare the options."""
    from mmhot.chain.calls import INFER_COMMAND

    add_inputs(parser, 'videos, images, folders, globs', *INFER_COMMAND.kinds)
    parser.epilog = _FOR_USERS


def run(args: argparse.Namespace) -> int:
    """Lift all inputs; one that fails does not stop the others."""
    from mmhot.chain.frames.inputs import find_inputs
    from mmhot.chain.options import BatchOptions, OutputOptions, RateOption
    from mmhot.chain.worker import ClipWorker, list_results
    from mmhot.chain.write import result_files
    from mmhot.io.results import results_folder

    values = args.values
    batch = values.of(BatchOptions)
    output = values.of(OutputOptions)
    resume = '; the same command with --resume continues from here'
    with handling(_patient_interrupt(), 'SIGINT'):
        inputs = find_inputs(args.inputs, values.of(RateOption).fps)
        results = list_results(output.out_dir)
        # Results of earlier runs in a folder of videos are inputs only if named.
        inputs = [
            x for x in inputs if str(x.path) in args.inputs or x.path not in results
        ]
        paths = [x.path for x in inputs]
        files = [result_files(output.out_dir, x.name, output.formats) for x in inputs]
        targets = zip(paths, files, strict=True)
        with results_folder(output.out_dir, targets, [*paths, *values.files]):
            if batch.runner == 'ray':
                from mmhot.apis.ray_runner import process_with_ray

                outcomes = process_with_ray(inputs, values, args.report)
            else:  # raises here if a model cannot be loaded
                outcomes = map(ClipWorker(values, args.report), inputs)
            more = '' if batch.no_cache else resume
            return report_outcomes(args, outcomes, len(inputs), more)


def _patient_interrupt() -> Callable[[int, FrameType | None], None]:
    """Return a handler of Ctrl-C that ignores further ones while results are saved."""
    last = -math.inf

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal last
        if time.monotonic() - last > _SAVING:
            last = time.monotonic()
            signal.default_int_handler(number, frame)

    return interrupt
