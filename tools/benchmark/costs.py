"""Count parameters and operations of the published models, beside the papers' numbers.

The papers count with thop: layers alone, without products of attention and graphs, and
without parameters that belong to no layer (tables of positions, learned tokens). Its
"FLOPs" are multiply-adds in some papers and twice as many in others.
"""

import argparse
import csv
import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.config import DictAction
from mmengine.registry import DefaultScope
from mmpose.registry import MODELS
from torch import Tensor, nn

import mmhot.plugin  # noqa: F401 registers what configs name
from mmhot.weights.config_files import read_config_file
from tools.analysis.cost import Cost, count_cost, input_shape
from tools.runner import merge_options

MOST = 0.02
"""Relative difference from the paper's number; above, its cause is stated."""
_PAPERS = Path(__file__).with_name('papers.csv')
_CONVOLUTIONS = nn.modules.conv._ConvNd
_LAYERS = (nn.Linear, _CONVOLUTIONS, nn.LayerNorm, nn.modules.batchnorm._BatchNorm)
_COLUMNS = (
    *('model', 'M parameters of layers', "the paper's", 'G as the paper counts'),
    *("the paper's", 'M parameters, all', 'G multiply-adds, all', 'cause of over 2 %'),
)


@dataclass(frozen=True)
class Published:
    """A model, and the numbers of its paper or official script; None if not stated."""

    model: str
    config: str  # path below configs/, without .py
    options: str  # options of the backbone, KEY=VALUE
    parameters: float | None  # number of parameters, millions
    operations: float | None  # number of operations, billions
    factor: int  # operations per multiply-add in the paper
    pruned: bool  # whether the numbers are for the pruned model
    counts_tables: bool  # whether parameters outside of layers count, too
    cause: str  # why our numbers differ by more than 2 %


def read_papers() -> list[Published]:
    """Read the models and numbers of the papers, ``papers.csv``."""
    with _PAPERS.open(encoding='utf-8', newline='') as file:
        rows = list(csv.DictReader(file))
    return [
        Published(
            model=row['model'],
            config=row['config'],
            options=row['options'],
            parameters=float(row['parameters']) if row['parameters'] else None,
            operations=float(row['operations']) if row['operations'] else None,
            factor=int(row['factor']),
            pruned=row['pruned'] == '1',
            counts_tables=row['counts_tables'] == '1',
            cause=row['cause'],
        )
        for row in rows
    ]


@dataclass(frozen=True)
class Count:
    """What a published model costs here."""

    parameters: float  # millions, as the paper counts them
    operations: float  # billions, as the paper counts them
    whole_model: Cost  # all parameters and multiply-adds


def count_published(published: Published) -> Count:
    """Count a model on the meta device, which computes nothing."""
    config = read_config_file(f'mmhot::{published.config}.py')
    options = (option.split('=') for option in published.options.split())
    merge_options(
        config,
        {f'model.backbone.{k}': DictAction._parse_iterable(v) for k, v in options},
    )
    with DefaultScope.overwrite_default_scope(config.default_scope):
        model = MODELS.build(config.model).eval().to('meta')
    if not published.pruned:
        model.head.keep_rates = None
    macs: list[int] = []
    layers = [layer for layer in model.modules() if isinstance(layer, _LAYERS)]
    for layer in layers:
        layer.register_forward_hook(partial(_add_macs, macs))
    x = torch.zeros(1, *input_shape(config, model), device='meta')
    cost = count_cost(model, x, None)
    parameters = cost.parameters
    if not published.counts_tables:
        parameters = sum(x.numel() for layer in layers for x in layer.parameters())
    return Count(parameters / 1e6, published.factor * sum(macs) / 1e9, cost)


def _add_macs(macs: list[int], layer: nn.Module, _: Any, output: Tensor) -> None:
    """Append the multiply-adds of a layer with an output (...) to a list, as a hook."""
    if isinstance(layer, nn.Linear):
        macs.append(output.numel() * layer.in_features)
    elif isinstance(layer, _CONVOLUTIONS):
        inputs = layer.in_channels // layer.groups * math.prod(layer.kernel_size)
        macs.append(output.numel() * inputs)


def difference(ours: float, theirs: float | None) -> float:
    """Return the relative difference from a paper's number, 0 if it has none."""
    return 0.0 if theirs is None else ours / theirs - 1


def measure(_: argparse.Namespace) -> list[list[str]]:
    """Count all models, which takes no options."""
    rows = [list(_COLUMNS)]
    for model in read_papers():
        count = count_published(model)
        rows.append(
            [
                model.model,
                f'{count.parameters:.3g}',
                _compare(count.parameters, model.parameters),
                f'{count.operations:.3g}',
                _compare(count.operations, model.operations),
                f'{count.whole_model.parameters / 1e6:.3g}',
                f'{count.whole_model.macs / 1e9:.3g}',
                model.cause,
            ]
        )
    return rows


def _compare(ours: float, theirs: float | None) -> str:
    """Format a paper's number with our difference from it, empty if it has none."""
    return '' if theirs is None else f'{theirs:g} ({difference(ours, theirs):+.1%})'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare nothing: all models are counted."""
