"""The figure of README."""

import argparse

import pytest
from PIL import Image

from tools.analysis.draw_concept import GRID, JOINTS, STAGES, draw, nearest_patches


def test_figure_shows_the_published_numbers_of_patches():
    rates = (1, 0.7, 0.3, 0.1)
    assert [count for _, count in STAGES] == [int(GRID**2 * rate) for rate in rates]


@pytest.mark.parametrize('count', [25, 256])
def test_nearest_patches_are_distinct_and_include_those_of_the_joints(count):
    patches = {tuple(patch) for patch in nearest_patches(JOINTS['head'], count)}
    assert len(patches) == count
    assert {(int(x), int(y)) for x, y in JOINTS['head']} <= patches


def test_figure_is_written(tmp_path):
    result = tmp_path / 'summary.jpg'
    Image.new('RGB', (140, 50)).save(result)
    draw(argparse.Namespace(result=result, target=tmp_path / 'concept.png'))
    with Image.open(tmp_path / 'concept.png') as image:
        assert image.size == (1650, 600)
