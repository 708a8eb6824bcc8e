"""Plots of error against cost."""

import json
import sys

import cv2
from numpy.testing import assert_allclose

from tools.analysis.draw_cost_curve import _COLORS, _GROUP, main, relative

POINTS = [
    dict(group='A', method='none', macs=200, errors=[50.0, 52.0]),
    dict(group='A', method='TPC', macs=120, errors=[51.51]),
    dict(group='A', method='TPC', macs=100, errors=[51.0, 53.04]),
]


def document(points):
    return dict(error='MPJPE', unit='mm', points=points)


def test_costs_and_errors_are_relative_to_the_host():
    rows = relative(POINTS, 'A')
    assert_allclose(rows['none'], [[100, 0]], atol=1e-9)
    # seeds are compared with the same seeds
    assert_allclose(rows['TPC'], [[50, 2], [60, 3.02]], atol=1e-9)


def test_curve_is_drawn(tmp_path, monkeypatch, capsys):
    source, target = tmp_path / 'a.json', tmp_path / 'a.png'
    points = [
        {**point, 'group': _GROUP, 'method': method if n else 'none'}
        for method in _COLORS
        for n, point in enumerate(POINTS)
        if n or method == next(iter(_COLORS))
    ]
    source.write_text(json.dumps(document(points)))
    monkeypatch.setattr(sys, 'argv', ['draw_cost_curve', str(source), str(target)])
    assert main() == 0
    assert 'TPC + TRI     50.0 %  +2.00 %' in capsys.readouterr().out.splitlines()
    image = cv2.imread(str(target))
    assert image.shape[0] > 300
    assert image.std() > 10
