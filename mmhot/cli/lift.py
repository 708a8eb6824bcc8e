"""Lift the 2D keypoints of whole clips to 3D.

Example:
  mmhot lift demo/skating_2d_coco17.npz --formats npz,mp4

Inputs are .npz files; JSON files of MMPose, COCO or OpenPose, or a folder with one for
each image; DeepLabCut's .csv; and SLEAP's .h5. docs/input-formats.md describes them,
docs/output-formats.md the results.
"""

import argparse
from pathlib import Path

from mmhot.cli.errors import OneLineParser
from mmhot.cli.options import add_inputs
from mmhot.cli.report import report_outcomes


def add_arguments(parser: OneLineParser) -> None:
    """Declare the options."""
    from mmhot.chain.calls import LIFT_COMMAND

    add_inputs(parser, '2D keypoints of a clip', *LIFT_COMMAND.kinds, type=Path)


def run(args: argparse.Namespace) -> int:
    """Lift all inputs; one that fails does not stop the others."""
    from mmhot.apis.lifting import lift_files

    return report_outcomes(
        args, lift_files(args.inputs, args.values, args.report), len(args.inputs)
    )
