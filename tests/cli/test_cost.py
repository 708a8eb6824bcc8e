"""``mmhot cost``: parameters, multiply-adds by layer, and time."""

import json

import pytest
import torch
from torch import nn

from mmhot.cli.dispatch import main
from mmhot.evaluation.cost import Cost, count_cost, count_layers, group_layers
from mmhot.weights.index import read_models


class Attending(nn.Module):
    """Two linear layers in a list, and a product of its own."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 2, bias=False)])

    def forward(self, x):
        x = self.layers[0](x)
        return self.layers[1](x.softmax(-1) @ x.mT @ x)


def test_layers_are_counted_by_themselves_and_in_groups():
    x = torch.zeros(1, 3, 4)
    layers = count_layers(Attending(), x)
    assert layers == {
        '': Cost(0, 0, 2 * 3 * 3 * 4),
        'layers.0': Cost(20, 3 * 16, 0),
        'layers.1': Cost(8, 3 * 8, 0),
    }
    assert [*group_layers(layers, 1)] == ['', 'layers']
    assert group_layers(layers, 0) == {'': count_cost(Attending(), x)}


def cost_of(capsys, *args):
    assert main(['cost', *args, '--json']) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ('name', 'input_shape'),
    [
        ('nanohtnet', [81, 17, 2]),
        ('gtpt-t', [3, 256, 192]),
        ('rtmdet-nano_1xb32-12e_rendered-320x320', [3, 512, 512]),
        ('video-pose-lift_tcn-27frm_1xb32-10e_cmu-wild', [27, 17, 2]),
    ],
)
def test_cost_is_the_metafiles_and_the_sum_of_layers(name, input_shape, capsys):
    (model,) = [model for model in read_models() if model.is_called(name)]
    content = cost_of(capsys, name, '--no-time')
    assert content['input'] == input_shape
    assert content['total']['parameters'] == model.parameters
    assert content['total']['macs'] == pytest.approx(model.macs, rel=1e-3)
    for key, value in content['total'].items():
        assert sum(layer[key] for layer in content['layers'].values()) == value
    assert 'time' not in content


def test_table_has_layers_total_and_time(capsys):
    assert main(['cost', 'nanohtnet', '--depth', '1', '--batch', '2']) == 0
    head, columns, *rows, time = capsys.readouterr().out.splitlines()
    assert head.endswith('-30e_cmu-wild.py, input (81, 17, 2)')
    assert columns.split() == [
        'layer',
        *['parameters', 'multiply-adds', 'share', 'products'],
    ]
    assert [row.split()[0] for row in rows] == ['backbone', 'head', 'total']
    assert rows[-1].split()[1:4] == ['2,413,807', '27,131,850', '100.0%']
    assert ' ms a batch of 2 (' in time
