"""Export a model to ONNX and compare it with PyTorch.

Example:
  mmhot export gtpt-t --out exported/gtpt-t
  mmhot export gtpt-t --int8 --out exported/gtpt-t-int8
  mmhot export hot-mixste.py hot-mixste.pth --keep 61 --out exported/hot-mixste

Lifters, top-down 2D models and RTMDet detectors become a folder of model.onnx,
meta.json and README.md. Nothing is written, and the exit code is 2, if ONNX Runtime's
results differ from PyTorch's on random or on real inputs.
"""

import argparse
from pathlib import Path

from mmhot.cli.options import read_numbers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        'model', help='a model of `mmhot list` by name or alias, or a config'
    )
    parser.add_argument(
        'checkpoint', nargs='?', help='its weights (default: those of the named model)'
    )
    parser.add_argument(
        '--out', type=Path, required=True, metavar='DIR', help='folder to create'
    )
    parser.add_argument(
        '--keep',
        type=read_numbers,
        metavar='N[,N]',
        help='frames that each pruner of a lifter keeps, or keep rates of a GTPT, such '
        'as 1,0.5,0.2,0.1 (default: as trained)',
    )
    parser.add_argument(
        '--inputs',
        metavar='PATH',
        help='real inputs of the comparison: a video or images of people, or 2D '
        'keypoints for a lifter (default: the demo of the repository)',
    )
    precision = parser.add_mutually_exclusive_group()
    precision.add_argument(
        '--fp16', action='store_true', help='16-bit floats: half the size, for GPUs'
    )
    precision.add_argument(
        '--int8',
        action='store_true',
        help='8-bit integers in matrix products and convolutions, calibrated on the '
        'real inputs',
    )
    parser.add_argument(
        '--max-loss',
        type=float,
        metavar='N',
        help='write nothing if --fp16 or --int8 loses more on average: pixels of the '
        'crop (default: 1), millimeters (5), or percent of boxes (5)',
    )


def run(args: argparse.Namespace) -> None:
    """Export the model."""
    from mmhot.apis.onnx_export import export_onnx

    files = export_onnx(
        args.model,
        args.checkpoint,
        out=args.out,
        keep=args.keep,
        inputs=args.inputs,
        precision='int8' if args.int8 else 'float16' if args.fp16 else 'float32',
        max_loss=args.max_loss,
        say=args.say,
    )
    for file in files:
        args.say(str(file))
