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
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING

from mmhot.cli.errors import OneLineParser, handling
from mmhot.cli.options import add_inputs
from mmhot.cli.report import report_outcomes
from mmhot.options import Values
from mmhot.progress import Report

if TYPE_CHECKING:  # importing them takes seconds
    from mmhot.chain.outcome import Outcome
    from mmhot.frames.inputs import ClipInput

# Seconds in which another Ctrl-C does not interrupt saving.
_SAVING = 3.0


def add_arguments(parser: OneLineParser) -> None:
    """Declare the options."""
    from mmhot.chain.calls import INFER_COMMAND

    text = 'videos, images, folders, globs'
    add_inputs(parser, text, *INFER_COMMAND)


def run(args: argparse.Namespace) -> int:
    """Lift all inputs; one that fails does not stop the others."""
    from mmhot.chain.options import BatchOptions, OutputOptions, RateOption
    from mmhot.chain.worker import list_results
    from mmhot.frames.inputs import find_inputs

    last = -math.inf

    def interrupt(number: int, frame: FrameType | None) -> None:
        """Raise KeyboardInterrupt, but not while results so far are saved."""
        nonlocal last
        if time.monotonic() - last > _SAVING:
            last = time.monotonic()
            signal.default_int_handler(number, frame)

    values = args.values
    more = '; the same command with --resume continues from here'
    more = '' if values.of(BatchOptions).no_cache else more
    with handling(interrupt, 'SIGINT'):
        inputs = find_inputs(args.inputs, values.of(RateOption).fps)
        own = list_results(values.of(OutputOptions).out_dir)
        inputs = [x for x in inputs if str(x.path) in args.inputs or x.path not in own]
        outcomes = _process(inputs, values, args.report)
        return report_outcomes(args, outcomes, len(inputs), more)


def _process(
    inputs: Sequence['ClipInput'], values: Values, report: Report
) -> Iterator['Outcome']:
    from mmhot.chain.options import BatchOptions, OutputOptions
    from mmhot.chain.write import result_files
    from mmhot.io.results import results_folder

    output = values.of(OutputOptions)
    folder, formats = output.out_dir, output.formats
    targets = [(x.path, result_files(folder, x.name, formats)) for x in inputs]
    with results_folder(folder, targets, [*(x.path for x in inputs), *values.files]):
        if values.of(BatchOptions).runner == 'ray':
            from mmhot.apis.ray_runner import process_with_ray

            yield from process_with_ray(inputs, values, report)
            return
        from mmhot.chain.worker import ClipWorker

        # a model that cannot be loaded fails for all inputs
        yield from map(ClipWorker(values, report), inputs)
