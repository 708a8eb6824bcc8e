"""Export a model to ONNX and compare it with PyTorch.

Example:
  mmhot export gtpt-t --out exported/gtpt-t
  mmhot export hot-mixste.py hot-mixste.pth --keep 61 --out exported/hot-mixste

Lifters, top-down 2D models and RTMDet detectors become a folder of model.onnx
and meta.json. Nothing is written, and the exit code is 2, if ONNX Runtime's results
differ from PyTorch's on random or on real inputs.
"""

import argparse

from mmhot.apis.options import OnnxOptions
from mmhot.cli.options import add_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        'model', help='a model of `mmhot list` by name or alias, or a config'
    )
    parser.add_argument(
        'checkpoint', nargs='?', help='its weights (default: those of the named model)'
    )
    add_options(parser, OnnxOptions)


def run(args: argparse.Namespace) -> None:
    """Export the model."""
    from mmhot.apis.onnx_export import export_onnx

    options = args.values.stated
    files = export_onnx(args.model, args.checkpoint, say=args.say, **options)
    for file in files:
        args.say(str(file))
