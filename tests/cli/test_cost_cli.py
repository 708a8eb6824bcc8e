"""``mmhot cost``: parameters, multiply-adds by layer, and time."""

import json

import pytest

from mmhot.cli.dispatch import main
from mmhot.weights.index import read_models


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
        # an hourglass, which calls the blocks of its host
        ('hot-mixste-xs_81frm-keep27_1xb8-10e_cmu-wild', [81, 17, 2]),
    ],
)
def test_cost_is_the_metafiles_and_the_sum_of_parts(name, input_shape, capsys):
    (model,) = [model for model in read_models() if model.is_called(name)]
    content = cost_of(capsys, name, '--no-time')
    assert content['input'] == input_shape
    assert content['total']['parameters'] == model.parameters
    assert content['total']['macs'] == pytest.approx(model.macs, rel=1e-3)
    for key, value in content['total'].items():
        assert sum(layer[key] for layer in content['layers'].values()) == value
    assert 'time' not in content


def test_table_has_parts_total_and_time(capsys):
    assert main(['cost', 'nanohtnet', '--batch', '2']) == 0
    head, columns, *rows, time = capsys.readouterr().out.splitlines()
    assert head.endswith('-30e_cmu-wild.py, input (81, 17, 2)')
    assert columns.split() == [
        'part',
        *['parameters', 'multiply-adds', 'share', 'products'],
    ]
    assert [row.split()[0] for row in rows] == ['backbone', 'head', 'total']
    assert rows[-1].split()[1:4] == ['2,413,807', '27,131,850', '100.0%']
    assert ' ms a batch of 2 (' in time
