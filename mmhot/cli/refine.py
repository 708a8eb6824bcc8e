"""Refine 3D poses of other tools: smooth motion, standing feet, a common floor.

Example:
  mmhot refine sam3d.json --fps 30 --static-camera --formats bvh,glb

Inputs are results of SAM 3D Body (.json, .npz, .pkl), arrays of joints (.npy, .npz)
such as MotionBERT's X3D.npy, folders of EasyMocap and results of mmhot.
docs/input-formats.md describes them, docs/output-formats.md what is written.
"""

import argparse
from pathlib import Path

from mmhot.cli.errors import OneLineParser
from mmhot.cli.options import add_inputs
from mmhot.cli.report import report_outcomes


def add_arguments(parser: OneLineParser) -> None:
    """Declare the options."""
    from mmhot.chain.calls import REFINE_COMMAND

    add_inputs(parser, '3D poses of a clip', *REFINE_COMMAND.kinds, type=Path)


def run(args: argparse.Namespace) -> int:
    """Refine all inputs; one that fails does not stop the others."""
    from mmhot.apis.lifting import refine_files

    return report_outcomes(
        args, refine_files(args.inputs, args.values, args.report), len(args.inputs)
    )
