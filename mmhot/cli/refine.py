"""Refine 3D poses of other tools: smooth motion, standing feet, a common floor.

Example:
  mmhot refine sam3d.json --fps 30 --static-camera --formats bvh,glb

Inputs are results of SAM 3D Body (.json, .npz, .pkl), arrays of joints (.npy, .npz)
such as MotionBERT's X3D.npy, folders of EasyMocap and results of mmhot, as
docs/migration.md shows; docs/output-formats.md describes what is written.
"""

import argparse
from pathlib import Path

from mmhot.chain.options import RefineRunOptions
from mmhot.cli.lift import run_files
from mmhot.cli.options import add_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.usage = '%(prog)s INPUT [INPUT ...] [OPTION ...]'
    parser.add_argument(
        'inputs', nargs='+', type=Path, metavar='INPUT', help='3D poses of a clip'
    )
    add_options(parser, RefineRunOptions)


def run(args: argparse.Namespace) -> int:
    """Refine all inputs; nothing is written if any of them cannot be read."""
    return run_files(args, RefineRunOptions)
