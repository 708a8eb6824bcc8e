"""Count parameters and operations of the published models, beside the papers' numbers.

The papers count with thop: layers alone, without products of attention and graphs, and
without parameters that belong to no layer (tables of positions, learned tokens). Its
"FLOPs" are multiply-adds in some papers and twice as many in others.
"""

import argparse
import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import DefaultScope
from mmpose.registry import MODELS
from torch import Tensor, nn

import mmhot.plugin  # noqa: F401 registers what configs name
from mmhot.weights.config_files import read_config_file
from tools.analysis.cost import Cost, count_cost, input_shape

MOST = 0.02
"""Relative difference from the paper's number above which a cause is stated."""
_CONVOLUTIONS = nn.modules.conv._ConvNd
_LAYERS = (nn.Linear, _CONVOLUTIONS, nn.LayerNorm, nn.modules.batchnorm._BatchNorm)
_ROUNDED = 'rounded to 0.1; with norms, as thop counts, {} G'
_COLUMNS = (
    *('model', 'M parameters of layers', "the paper's", 'G as the paper counts'),
    *("the paper's", 'M parameters, all', 'G multiply-adds, all', 'cause of over 2 %'),
)


@dataclass(frozen=True)
class Published:
    """A model, and what its paper or its official script states; None if nothing."""

    name: str
    config: str  # below configs/, without .py
    parameters: float | None = None  # millions
    operations: float | None = None  # billions
    factor: int = 1  # operations per multiply-add in the paper
    pruned: bool = True
    whole: bool = False  # whether its parameters are all, not only those of layers
    cause: str = ''


def _gtpt(size: str, wholebody: bool = False) -> str:
    data = 'coco-wholebody' if wholebody else 'coco'
    task = 'wholebody_2d_keypoint' if wholebody else 'body_2d_keypoint'
    return f'{task}/gtpt/{data}/gtpt-{size}_4xb64-300e_{data}-256x192'


def _lifter(path: str) -> str:
    return f'body_3d_keypoint/{path}'


_CPN, _SH = '1xb4-160e_h36m-cpn', '1xb32-60e_h36m-sh'
_HOT = partial(Published, factor=2)
MODELS_OF_PAPERS = (
    Published('GTPT-T', _gtpt('t'), 2.4, 0.7, cause=_ROUNDED.format(0.663)),
    Published('GTPT-S', _gtpt('s'), 5.4, 1.6),
    Published('GTPT-B', _gtpt('b'), 8.3, 3.6),
    Published('GTPT-T, not pruned', _gtpt('t'), pruned=False),
    Published('GTPT-S, not pruned', _gtpt('s'), pruned=False),
    Published('GTPT-B, not pruned', _gtpt('b'), pruned=False),
    Published('GTPT-T, WholeBody', _gtpt('t', True), operations=0.8),
    Published(
        'GTPT-S, WholeBody',
        _gtpt('s', True),
        operations=2.0,
        cause=_ROUNDED.format(1.994),
    ),
    Published('GTPT-B, WholeBody', _gtpt('b', True), operations=4.0),
    Published('GTPT-T, WholeBody, not pruned', _gtpt('t', True), pruned=False),
    Published('GTPT-S, WholeBody, not pruned', _gtpt('s', True), pruned=False),
    Published('GTPT-B, WholeBody, not pruned', _gtpt('b', True), pruned=False),
    _HOT('MixSTE', _lifter(f'mixste/h36m/mixste_243frm_{_CPN}'), operations=277),
    _HOT(
        'HoT, MixSTE',
        _lifter(f'hot/h36m/hot-mixste_243frm-keep81_{_CPN}'),
        operations=167,
    ),
    _HOT(
        'TPC, MixSTE',
        _lifter(f'hot/h36m/tpc-mixste_243frm-keep61_{_CPN}'),
        operations=251,
    ),
    _HOT('TPS + TRI, MixSTE', _lifter(f'hot/h36m/tps-tri-mixste_243frm-keep81_{_CPN}')),
    _HOT(
        'H2OT, TPS + TRI, MixSTE',
        _lifter(f'hot/h36m/h2ot-tps-tri-mixste_243frm-keep121-61_{_CPN}'),
    ),
    _HOT(
        'MHFormer',
        _lifter('mhformer/h36m/mhformer_351frm_1xb128-20e_h36m-cpn'),
        None,
        14,
    ),
    _HOT(
        'TPC, MHFormer',
        _lifter('mhformer/h36m/tpc-mhformer_351frm-keep117_1xb210-20e_h36m-cpn'),
    ),
    Published(
        'MotionBERT',
        _lifter('motionbert/h36m/motionbert_243frm_1xb32-120e_h36m-sh'),
        42.5,
        factor=2,
    ),
    _HOT(
        'MotionBERT lite',
        _lifter(f'motionbert/h36m/motionbert-lite_243frm_{_SH}'),
        operations=131,
    ),
    _HOT(
        'HoT, MotionBERT lite',
        _lifter(f'hot/h36m/hot-motionbert-lite_243frm-keep81_{_SH}'),
        operations=63,
    ),
    _HOT(
        'TPC, MotionBERT lite',
        _lifter(f'hot/h36m/tpc-motionbert-lite_243frm-keep61_{_SH}'),
        operations=91,
    ),
    _HOT(
        'TPS + TRI, MotionBERT lite',
        _lifter(f'hot/h36m/tps-tri-motionbert-lite_243frm-keep81_{_SH}'),
    ),
    _HOT(
        'H2OT, TPS + TRI, MotionBERT lite',
        _lifter(f'hot/h36m/h2ot-tps-tri-motionbert-lite_243frm-keep121-61_{_SH}'),
    ),
    *(
        Published(
            f'MotionAGFormer-{size.upper()}',
            _lifter(
                f'motionagformer/h36m/motionagformer-{size}_{frames}frm_1xb16-60e_h36m-sh'
            ),
            parameters,
            operations,
        )
        for size, frames, parameters, operations in (
            ('xs', 27, 2.2, 1.0),
            ('s', 81, 4.8, 6.6),
            ('b', 243, 11.7, 48.3),
            ('l', 243, 19.0, 78.3),
        )
    ),
    Published(
        'HoT, MotionAGFormer-B',
        _lifter(
            'motionagformer/h36m/hot-motionagformer-b_243frm-keep81_1xb16-60e_h36m-sh'
        ),
    ),
    Published(
        'H2OT, TPS + TRI, MotionAGFormer-B',
        _lifter(
            'hot/h36m/h2ot-tps-tri-motionagformer-b_243frm-keep121-61_1xb16-60e_h36m-sh'
        ),
    ),
    Published(
        'HTNet',
        _lifter('htnet/h36m/htnet_1frm_1xb512-15e_h36m-cpn'),
        3.05,
        factor=2,
        whole=True,
    ),
    *(
        Published(
            f'NanoHTNet, {frames}/{kept}',
            _lifter(
                f'nanohtnet/h36m/nanohtnet_{frames}frm-keep{kept}_1xb256-49e_h36m-cpn'
            ),
            parameters,
            operations,
            factor=2,
        )
        for frames, kept, parameters, operations in (
            (243, 9, 1.52, 0.0334),
            (243, 27, 1.56, 0.0558),
            (81, 9, 1.44, 0.0307),
        )
    ),
)


@dataclass(frozen=True)
class Count:
    """What a published model costs here."""

    of_layers: Cost  # parameters of layers, and their multiply-adds
    all: Cost

    def parameters(self, published: Published) -> float:
        """Return millions of parameters as the paper counts them."""
        cost = self.all if published.whole else self.of_layers
        return cost.parameters / 1e6

    def operations(self, published: Published) -> float:
        """Return billions of operations as the paper counts them."""
        return published.factor * self.of_layers.macs / 1e9


def count_published(published: Published) -> Count:
    """Count a model on the meta device, which computes nothing."""
    config = read_config_file(f'mmhot::{published.config}.py')
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
    parameters = sum(x.numel() for layer in layers for x in layer.parameters())
    return Count(Cost(parameters, sum(macs), 0), cost)


def _add_macs(macs: list[int], layer: nn.Module, _: Any, output: Tensor) -> None:
    if isinstance(layer, nn.Linear):
        macs.append(output.numel() * layer.in_features)
    elif isinstance(layer, _CONVOLUTIONS):
        inputs = layer.in_channels // layer.groups * math.prod(layer.kernel_size)
        macs.append(output.numel() * inputs)


def difference(ours: float, theirs: float | None) -> float:
    """Return the relative difference from a paper's number, 0 if it has none."""
    return 0.0 if theirs is None else ours / theirs - 1


def make_table() -> str:
    """Return the table in Markdown."""
    lines = [_COLUMNS, ['---'] * len(_COLUMNS)]
    for model in MODELS_OF_PAPERS:
        count = count_published(model)
        lines.append(
            [
                model.name,
                f'{count.parameters(model):.3g}',
                _compare(count.parameters(model), model.parameters),
                f'{count.operations(model):.3g}',
                _compare(count.operations(model), model.operations),
                f'{count.all.parameters / 1e6:.3g}',
                f'{count.all.macs / 1e9:.3g}',
                model.cause,
            ]
        )
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def _compare(ours: float, theirs: float | None) -> str:
    return '' if theirs is None else f'{theirs:g} ({difference(ours, theirs):+.1%})'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the page."""
    parser.add_argument(
        'page', nargs='?', type=Path, help='.md file to write the table into'
    )
