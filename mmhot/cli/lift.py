"""Lift the 2D keypoints of whole clips to 3D.

Example:
  mmhot lift demo/skating_2d_coco17.npz --formats npz,mp4

Inputs are .npz files, JSON of MMPose, COCO and OpenPose, or a folder of one such file
per image, DeepLabCut's .csv and SLEAP's .h5; docs/output-formats.md describes them and
the results.
"""

import argparse
from pathlib import Path

from mmhot.chain.options import LiftRunOptions, RefineRunOptions
from mmhot.cli.options import add_options, read_options
from mmhot.cli.report import report_outcomes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.usage = '%(prog)s INPUT [INPUT ...] [OPTION ...]'
    parser.add_argument(
        'inputs', nargs='+', type=Path, metavar='INPUT', help='2D keypoints of a clip'
    )
    add_options(parser, LiftRunOptions)


def run(args: argparse.Namespace) -> int:
    """Lift all inputs; nothing is written if any of them cannot be read."""
    return run_files(args, LiftRunOptions)


def run_files(
    args: argparse.Namespace, kind: type[LiftRunOptions | RefineRunOptions]
) -> int:
    """Process all inputs as the options of a command say."""
    options = read_options(args, kind)
    if args.is_process and isinstance(options, LiftRunOptions):
        from mmhot.chain.ahead import open_defaults_ahead

        open_defaults_ahead(options)
    from mmhot.apis.lifting import lift_files

    outcomes = lift_files(args.inputs, options, args.say, args.bars)
    return report_outcomes(args, outcomes, len(args.inputs))
