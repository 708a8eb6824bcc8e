"""Surfaces of known shapes, heat that spreads over them, and the mannequin's."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mmhot.io.writers.mannequin import TEMPLATE
from tools.isosurface import extract_surface, spread_heat
from tools.make_mannequin import make_template


def torus(points):
    away = np.hypot(points[..., 0], points[..., 1]) - 2
    return np.hypot(away, points[..., 2]) - 0.7


@pytest.fixture(scope='module')
def surface():
    # uneven planes
    long = np.concatenate([np.linspace(-3, 0, 20), np.linspace(0, 3, 31)[1:]])
    return extract_surface(torus, [long, long, np.linspace(-1, 1, 15)])


def test_surface_is_closed_and_where_the_function_is_zero(surface):
    vertices, faces = surface
    assert_allclose(torus(vertices), 0, atol=1e-4)
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    edges, counts = np.unique(edges, axis=0, return_counts=True)
    assert (counts == 2).all()
    assert len(vertices) - len(edges) + len(faces) == 0  # Euler's number of a torus
    first, second, third = vertices[faces].swapaxes(0, 1)
    volume = (first * np.cross(second, third)).sum() / 6
    assert volume == pytest.approx(2 * np.pi**2 * 2 * 0.7**2, rel=0.02)


def test_heat_spreads_evenly_between_sources(surface):
    vertices, faces = surface
    # two sources, left and right, one of them twice as near
    heat = np.stack([vertices[:, 0] < 0, 4.0 * (vertices[:, 0] >= 0)], axis=1)
    shares = spread_heat(vertices, faces, heat)
    assert_allclose(shares.sum(1), 1, atol=1e-9)
    far = np.abs(vertices[:, 0]) > 2
    assert shares[far & (vertices[:, 0] < 0), 0].min() > 0.8
    assert shares[far & (vertices[:, 0] > 0), 1].min() > 0.95
    middle = np.abs(vertices[:, 0]) < 0.1
    assert (shares[middle].min(0) > 0.2).all()
    # without sources elsewhere all are alike
    heat = np.zeros((len(vertices), 2))
    heat[0] = 1, 3
    assert_allclose(spread_heat(vertices, faces, heat), [[0.25, 0.75]] * len(vertices))


def test_template_is_what_the_tool_makes():
    made = make_template()
    with np.load(TEMPLATE) as stored:
        assert set(stored) == set(made)
        assert_allclose(stored['vertices'], made['vertices'], atol=1e-4)
        assert_allclose(stored['weights'], made['weights'] + 0.0, atol=1)
        for name in ('faces', 'joints'):
            np.testing.assert_array_equal(stored[name], made[name])
