"""Compare networks: time and multiply-adds.

A MODEL is a name in the model index of mmhot or MMPose, a config file, or
``PACKAGE::CONFIG``, with options: ``MODEL:onnx`` is exported and run by ONNX Runtime,
``MODEL:KEY=VALUE`` changes a setting of its config. Without a MODEL, the models of
docs/speed.md are measured. Times are measured for the network alone, with random
weights and without a flip test; operations are multiply-adds of one input.

``hourglasses --frames 27 81 243`` measures where pruning pays: an hourglass (TPC + TRA,
TPS + TRI), every third frame and fewer layers, in turns with their host, for windows of
these lengths. A MODEL is then an hourglass with one pruner. Cells are time and
operations relative to the host; on a CPU, time is processor time.
"""

import argparse
import re
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median

import torch

from tools.benchmark.page import number_cell, ratio_cell
from tools.benchmark.runnable_models import RunnableModel, open_model
from tools.benchmark.timing import (
    Times,
    clock_of,
    compare,
    run_whole,
    time_in_turns,
)

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
_PRUNED_HEADS = (
    *('model', 'T', 'batch', 'M multiply-adds', 'ms', 'TPC + TRA', 'TPS + TRI'),
    *('every third frame', 'fewer layers'),
)
# One token a frame, and one a joint
_PRUNED = (
    'tpc-mhformer_81frm-keep27_1xb210-20e_cmu',
    'hot-mixste-xs_81frm-keep27_1xb8-10e_cmu-wild',
    'hot-motionbert-xs_81frm-keep27_1xb8-10e_cmu-wild',
)
_KINDS = ('', ':onnx')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the models and how they run."""
    parser.add_argument(
        'models', nargs='*', metavar='MODEL', help='compared with the first of them'
    )
    parser.add_argument(
        '--batch', nargs='+', type=int, default=[1], metavar='N', help='(default: 1)'
    )
    parser.add_argument(
        '--frames', nargs='+', type=int, metavar='T', help='see above; hourglasses only'
    )
    parser.add_argument('--device', default='cpu', help='cpu or cuda (default: cpu)')


def measure(args: argparse.Namespace) -> list[list[str]]:
    """Compare the models of the command line, or by default the models of the page."""
    if args.frames:
        models = args.models or [f'{name}{kind}' for name in _PRUNED for kind in _KINDS]
        rows = [list(_PRUNED_HEADS)]
        for name in models:
            for num_frames in args.frames:
                rows += compare_pruned(name, num_frames, args)
        return rows
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
    times = time_batches(models, args)
    rows = []
    for place, size in times:
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


def time_batches(
    models: Sequence[RunnableModel],
    args: argparse.Namespace,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[tuple[int, int], Times]:
    """Time models in turns; return times by place and batch size."""
    calls = {
        (place, size): partial(run_whole, model.run, model.inputs(size))
        for place, model in enumerate(models)
        for size in args.batch
    }
    # The C library keeps more freed memory after it has freed a large block: without
    # it, times would depend on the models built before.
    torch.empty(31 * 2**20, dtype=torch.uint8)
    return time_in_turns(calls, args.rounds, clock=clock)


def compare_pruned(
    text: str, num_frames: int, args: argparse.Namespace
) -> list[list[str]]:
    """Time a host and ways to save its time; return a row for each batch size.

    Args:
        text (str): Hourglass with one pruner, a ``MODEL[:OPTION]...``.
        num_frames (int): Frames ``T`` of a window; a third of them is kept.
        args (argparse.Namespace): Arguments of :func:`add_arguments`.
    """
    backbone = f'{text}:model.backbone.num_frames={num_frames}:model.backbone'
    whole = f'{backbone}.pruner=None:model.backbone.recoverer=None'
    kept = f'{backbone}.pruner.num_keep={num_frames // 3}:model.backbone'

    def pruned(pruner: str, recoverer: str) -> str:
        types = f'{pruner}Pruner:model.backbone.recoverer.type={recoverer}Recoverer'
        return f'{kept}.pruner.type={types}'

    sizes = tuple(args.batch)
    hourglass = open_model(pruned('Cluster', 'Attention'), args.device, sizes)
    num_layers = hourglass.model.backbone.hourglass.num_layers
    depth = hourglass.settings.backbone.pruner.depth
    # As many layers as the hourglass has for a whole window
    fewer = round((num_layers - depth) * 2 / 3)
    every_third = f'{pruned("Uniform", "Interpolation")}:model.backbone.pruner.depth=0'
    models = [
        open_model(whole, args.device, sizes),
        hourglass,
        open_model(pruned('Uniform', 'Interpolation'), args.device, sizes),
        open_model(every_third, args.device, sizes),
        open_model(
            f'{whole}:model.backbone.depth={hourglass.settings.backbone.depth - fewer}',
            args.device,
            sizes,
        ),
    ]
    host = models[0]
    times = time_batches(models, args, clock_of(args.device))
    rows = []
    for size in sizes:
        reference = times[0, size]
        milliseconds = number_cell(1e3 * median(reference.turns))
        cells = [str(num_frames), str(size), number_cell(host.macs / 1e6), milliseconds]
        for place, model in enumerate(models[1:], start=1):
            ratio = ratio_cell(compare(times[place, size], reference))
            cells.append(f'{ratio}, {model.macs / host.macs:.2f}')
        rows.append([_short(text), *cells])
    return rows


def _short(name: str) -> str:
    """Return the name of a model without its training and changed settings."""
    return re.sub(r'_\d+(frm|xb)[\w-]*|:model\.[\w.]+=[^:]*', '', name)
