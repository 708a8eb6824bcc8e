"""Export a model to ONNX and compare it with PyTorch.

Example:
  mmhot export gtpt-t --out exported/gtpt-t
  mmhot export hot-mixste.py hot-mixste.pth --keep 61 --out exported/hot-mixste

Lifters, top-down 2D models and RTMDet detectors become a folder of model.onnx
and meta.json. Nothing is written, and the exit code is 2, if ONNX Runtime's results
differ from PyTorch's on random inputs.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from mmhot.cli.options import add_options
from mmhot.options import Option, Options, split_numbers


@dataclass(frozen=True, kw_only=True)
class OnnxOptions(Options):
    """Options of ``mmhot export``."""

    out: Annotated[Path, 'folder to create', Option(metavar='DIR')]
    keep: Annotated[
        list[float] | None,
        'frames that each pruner of a lifter keeps, or keep rates of a GTPT, such as '
        '1,0.5,0.2,0.1 (default: as trained)',
        Option(read=split_numbers, expected='numbers such as 1,0.5', metavar='N[,N]'),
    ] = None
    opset: Annotated[
        int, "version of ONNX's operators, for older runtimes", Option(low=18, high=23)
    ] = 23


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        'model', help='a model of `mmhot list` by name or alias, or a config'
    )
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='its weights (default: the weights of the named model)',
    )
    add_options(parser, OnnxOptions)


def run(args: argparse.Namespace) -> None:
    """Export the model."""
    from mmhot.apis.onnx_export import export_onnx

    options = args.values.of(OnnxOptions).option_values()
    for file in export_onnx(args.model, args.checkpoint, say=args.say, **options):
        args.say(str(file))
