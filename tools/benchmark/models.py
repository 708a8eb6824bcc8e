"""Compare networks: time and multiply-adds.

A MODEL is a name in the model index of mmhot or MMPose, a config file, or
``PACKAGE::CONFIG``, with options: ``MODEL:onnx`` is exported and run by ONNX Runtime,
``MODEL:KEY=VALUE`` changes a setting of its config. Without a MODEL, the models of
docs/benchmarks.md are measured. Times are measured for the network alone, with random
weights and without a flip test; operations are multiply-adds of one input.
"""

import argparse
import re
from collections.abc import Sequence
from functools import partial
from statistics import median

import torch

from tools.benchmark.page import number_cell, ratio_cell
from tools.benchmark.runnable_models import open_model
from tools.benchmark.timing import compare, run_whole, time_in_turns

_HEADS = ('model', 'batch', 'M multiply-adds', 'ms', 'ratio (quartiles)', 'of')
_NANOHTNET = 'nanohtnet_81frm-keep9_1xb256-49e_cmu'
_TRIANGLES = 'tps-tri-motionbert-xs_81frm-keep27_cmu-wild'
_RTMPOSE = 'rtmpose-{}_8xb256-420e_coco-256x192:onnx'
# Heads and neighbors of the pruned MotionAGFormer.
_AS_PRUNED = 'model.backbone.num_heads=4:model.backbone.num_neighbors=4'
GROUPS = {
    'models': (
        *((name, f'{name}:onnx') for name in ('gtpt-t', _NANOHTNET, _TRIANGLES)),
        (_RTMPOSE.format('s'), 'gtpt-t:onnx', _RTMPOSE.format('t')),
    ),
    'hourglasses': (
        (
            'mixste_243frm_1xb4-160e_h36m-cpn',
            'hot-mixste_243frm-keep81_1xb4-160e_h36m-cpn',
        ),
        (
            'motionbert-lite_243frm_1xb32-60e_h36m-sh',
            'hot-motionbert-lite_243frm-keep81_1xb32-60e_h36m-sh',
        ),
        (
            f'motionagformer-b_243frm_1xb16-60e_h36m-sh:{_AS_PRUNED}',
            'hot-motionagformer-b_243frm-keep81_1xb16-60e_h36m-sh',
        ),
        (
            'mhformer_351frm_1xb128-20e_h36m-cpn',
            'tpc-mhformer_351frm-keep117_1xb210-20e_h36m-cpn',
        ),
    ),
}
"""Models that are compared with the first, by part; hourglasses with their hosts."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the models and how they run."""
    parser.add_argument(
        'models', nargs='*', metavar='MODEL', help='compared with the first of them'
    )
    parser.add_argument(
        '--batch', nargs='+', type=int, default=[1], metavar='N', help='(default: 1)'
    )
    parser.add_argument('--device', default='cpu', help='cpu or cuda (default: cpu)')


def measure(args: argparse.Namespace) -> list[list[str]]:
    """Compare the models of the command line, or by default the models of the page."""
    groups = GROUPS[args.part]
    if args.models:
        groups = (args.models,)
    elif args.part == 'hourglasses' and args.device == 'cpu':
        groups = [[f'{name}:onnx' for name in names] for names in groups]
    rows = [list(_HEADS)]
    for names in groups:
        rows += compare_models(names, args)
    return rows


def compare_models(names: Sequence[str], args: argparse.Namespace) -> list[list[str]]:
    """Time models in turns; return a row of cells for each model and batch size.

    The first model is the reference; other arguments are of :func:`add_arguments`.
    """
    sizes = tuple(args.batch)
    models = [open_model(name, args.device, sizes) for name in dict.fromkeys(names)]
    calls = {
        (place, size): partial(run_whole, model.run, model.inputs(size))
        for place, model in enumerate(models)
        for size in sizes
    }
    # The C library keeps more freed memory after it has freed a large block: without
    # it, times would depend on the models built before.
    torch.empty(31 * 2**20, dtype=torch.uint8)
    times = time_in_turns(calls, args.rounds)
    rows = []
    for place, size in calls:
        model = models[place]
        turns = times[place, size]
        milliseconds = number_cell(1e3 * median(turns.turns))
        compared = ['', '']
        if place > 0:
            ratio = compare(turns, times[0, size])
            compared = [ratio_cell(ratio), _short(models[0].name)]
        cells = [str(size), number_cell(model.macs / 1e6), milliseconds, *compared]
        rows.append([_short(model.name), *cells])
    return rows


def _short(name: str) -> str:
    """Return the name of a model without its training and changed settings."""
    return re.sub(r'_\d+(frm|xb)[\w-]*|:model\.[\w.]+=[^:]*', '', name)
