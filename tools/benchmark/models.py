"""Compare networks: time, multiply-adds and parameters.

A MODEL is a short name, a config file, ``mmpose::CONFIG``, ``mmhot::CONFIG`` or
``mmhot://NAME`` of shipped weights, with options: ``MODEL:onnx`` is exported and run by
ONNX Runtime, ``MODEL:KEY=VALUE`` changes a setting of its config, and
``MODEL:input=(243,17,2)`` defines the shape of an input if the config does not. Without
a MODEL, those of docs/benchmarks.md are measured. Times are of the network alone,
without a flip test; operations are multiply-adds of one input.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from statistics import median

import torch

from tools.analysis.cost import Cost, count_cost
from tools.benchmark.model_specs import (
    MODELS,
    BuiltModel,
    ModelSpec,
    build_spec,
    parse_spec,
)
from tools.benchmark.timing import compare, time_in_turns

Group = tuple[Sequence[int], Sequence[str]]
"""Batch sizes, and models that are compared with the first."""
_TRIANGLES = 'mmhot://tps-tri-motionbert-xs_81frm-keep27_cmu-wild'
_BACKENDS = ('', ':onnx')
_GROUPS: Sequence[Group] = (
    ((1,), [f'gtpt-t{backend}' for backend in _BACKENDS]),
    ((1,), [f'nanohtnet-81-9{backend}' for backend in _BACKENDS]),
    ((1,), [f'{_TRIANGLES}{backend}' for backend in _BACKENDS]),
    ((1,), ('rtmpose-s:onnx', 'gtpt-t:onnx', 'rtmpose-t:onnx')),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the models and their batch sizes."""
    parser.add_argument(
        'models', nargs='*', metavar='MODEL', help=f'such as {", ".join([*MODELS][:5])}'
    )
    parser.add_argument(
        '--reference', metavar='MODEL', help='of the ratios (default: the first model)'
    )
    parser.add_argument(
        '--batch', nargs='+', type=int, default=[1], metavar='N', help='(default: 1)'
    )
    parser.add_argument(
        '--seconds', type=float, default=0.2, help='least time of a turn (default: 0.2)'
    )


def measure(args: argparse.Namespace) -> list[dict]:
    """Compare the models of the command line, or those of the page."""
    groups = _GROUPS
    if args.models:
        first = args.reference or args.models[0]
        names = [first, *(name for name in args.models if name != first)]
        groups = [(args.batch, names)]
    rows = []
    for sizes, names in groups:
        rows += compare_models(sizes, names, args.rounds, args.seconds)
    return rows


def compare_models(
    sizes: Sequence[int], names: Sequence[str], rounds: int, seconds: float = 0.2
) -> list[dict]:
    """Time models in turns.

    Args:
        sizes (Sequence[int]): Batch sizes.
        names (Sequence[str]): Models; the first is the reference.
        rounds (int): Turns of each.
        seconds (float): Least duration of a turn.

    Returns:
        list[dict]: A row for each model and batch size.

    Raises:
        FileNotFoundError: If a config is missing.
        ValueError: If a model cannot be built or run.
    """
    specs = [parse_spec(name) for name in dict.fromkeys(names)]
    built = {spec: build_spec(spec) for spec in specs}
    costs = {spec: count(spec, model) for spec, model in built.items()}
    calls = {
        (spec, size): partial(_run, model, model.inputs(size))
        for spec, model in built.items()
        for size in sizes
    }
    # the C library keeps more freed memory after it has freed a large block: without
    # it, times would depend on the models built before
    torch.empty(31 * 2**20, dtype=torch.uint8)
    times = time_in_turns(calls, rounds, seconds)
    return [
        {
            'model': spec.name,
            'reference': specs[0].name,
            'batch': size,
            'milliseconds': 1e3 * median(times[spec, size].turns),
            'ratio': asdict(compare(times[spec, size], times[specs[0], size])),
            'millions of operations': costs[spec].macs / 1e6,
            'millions of parameters': costs[spec].parameters / 1e6,
        }
        for spec in specs
        for size in sizes
    ]


def count(spec: ModelSpec, built: BuiltModel) -> Cost:
    """Count the cost of one input, in PyTorch.

    Raises:
        ValueError: If the model does not run on an input of its shape.
    """
    try:
        return count_cost(
            built.model, torch.randn(1, *built.shape), None, mode='tensor'
        )
    except (AssertionError, IndexError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            f'{spec.name}: does not run on an input of shape {built.shape}: {error}'
        ) from error


@torch.inference_mode()
def _run(built: BuiltModel, x: torch.Tensor) -> None:
    built(x)
