"""Compare hourglasses with their hosts, both in ONNX Runtime, with random weights."""

import argparse

from tools.benchmark.models import compare_models

# the pruned MotionAGFormer's heads and neighbors
_AS_PRUNED = 'model.backbone.num_heads=4:model.backbone.num_neighbors=4'
PAIRS = (
    ('mixste-243', 'hot-mixste-243'),
    ('motionbert-lite-243', 'hot-motionbert-lite-243'),
    (f'motionagformer-b-243:{_AS_PRUNED}', 'hot-motionagformer-b-243'),
    ('mhformer-351', 'tpc-mhformer-351'),
)
"""Host and hourglass; see :mod:`tools.benchmark.model_specs`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the back end."""
    parser.add_argument(
        '--torch', action='store_true', help='run in PyTorch instead of ONNX Runtime'
    )


def measure(args: argparse.Namespace) -> list[dict]:
    """Time each host and its hourglass at batch 1."""
    option = '' if args.torch else ':onnx'
    rows = []
    for pair in PAIRS:
        names = [f'{name}{option}' for name in pair]
        rows += compare_models((1,), names, args.rounds)
    return rows
