"""Web page that plays a lifted clip."""

import base64
import filecmp
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from browser import open_tab
from numpy.testing import assert_allclose, assert_array_equal
from rendered_clips import rendered

from mmhot.lifting.world import place_people, to_world
from mmhot.visualization.html import write_html

VIEWER = Path(__file__).parents[2] / 'mmhot/visualization/viewer'


@pytest.fixture(scope='module')
def clip():
    return to_world(place_people(rendered('walk')))


@pytest.fixture
def page(clip, tmp_path):
    write_html(clip, tmp_path / 'walk.html')
    return tmp_path / 'walk.html'


def content(page):
    text = page.read_text(encoding='utf-8')
    (data,) = re.findall(
        r'<script type="application/json" id="clip">(.*?)</script>', text
    )
    return json.loads(data)


def array(text, kind, *shape):
    return np.frombuffer(base64.b64decode(text), kind).reshape(-1, *shape)


def test_page_holds_the_clip_to_the_millimeter(page, clip):
    data = content(page)
    (person,) = data['people']
    positions = array(person['positions'], '<i2', 17, 3) / 1000 + person['origin']
    wanted = clip.keypoints_3d + clip.root_3d[:, None]
    assert_allclose(positions, wanted, atol=6e-4)
    pixels = array(person['pixels'], '<i2', 17, 2) / data['pixelSteps']
    assert_allclose(pixels, clip.keypoints_2d, atol=0.13)
    assert_array_equal(array(person['frames'], '<i4'), clip.frame)
    assert (data['first'], data['count'], data['fps']) == (0, 136, 25.0)
    assert data['sides'][:5] == [0, 2, 2, 2, 1]


def test_page_holds_the_timestamps_of_a_variable_frame_rate(clip, page, tmp_path):
    assert content(page)['times'] is None
    times = np.cumsum(np.linspace(0.02, 0.06, len(clip)))
    write_html(replace(clip, time=times), tmp_path / 'uneven.html')
    written = array(content(tmp_path / 'uneven.html')['times'], '<f4')
    assert_allclose(written, times, atol=1e-5)


def test_page_is_self_contained_and_small(page):
    text = page.read_text(encoding='utf-8')
    assert not re.findall(r'(?:src|href)=["\'](?!data:)', text)
    assert 'import(' not in text
    assert page.stat().st_size < 1_500_000


def test_names_are_escaped(clip, tmp_path):
    name = '</script><b>&"'
    write_html(replace(clip, name='x', model=name), tmp_path / 'a.html')
    assert content(tmp_path / 'a.html')['facts']['Model'] == name
    write_html(replace(clip, name=name), tmp_path / 'b.html')
    assert '<title>&lt;/script&gt;' in (tmp_path / 'b.html').read_text()


def test_other_axes_are_refused(tmp_path):
    with pytest.raises(ValueError, match="needs 'world' axes, got 'camera'"):
        write_html(rendered('walk'), tmp_path / 'a.html')
    assert not list(tmp_path.iterdir())


@pytest.mark.slow(reason='needs npm and the registry')
def test_bundle_is_built_from_the_source(tmp_path):
    for name in ('viewer.js', 'package.json', 'package-lock.json'):
        shutil.copy(VIEWER / name, tmp_path)
    for command in (['npm', 'ci'], ['npm', 'run', 'build']):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert filecmp.cmp(tmp_path / 'bundle.js', VIEWER / 'bundle.js', shallow=False)


@pytest.mark.slow(reason='needs playwright and Chromium')
@pytest.mark.parametrize('width', [1280, 390])
def test_page_plays_in_a_browser(page, clip, width):
    with open_tab(width) as (tab, problems):
        tab.goto(page.as_uri())
        tab.wait_for_function('window.mmhot !== undefined')

        heads = []
        for frame in (0, 100):
            tab.locator('#timeline').fill(str(frame))
            x, y, z = tab.evaluate('mmhot.joint(0, 10)')
            heads.append([x, -z, y])
        wanted = (clip.keypoints_3d + clip.root_3d[:, None])[[0, 100], 10]
        assert_allclose(heads, wanted, atol=2e-3)

        tab.keyboard.press('Home')
        tab.keyboard.press('ArrowRight')
        assert tab.evaluate('mmhot.state.frame') == 1
        tab.keyboard.press('Shift+ArrowRight')
        assert tab.evaluate('mmhot.state.frame') == 11
        tab.locator('#play').click()
        tab.wait_for_function('mmhot.state.frame > 12')
        theme = tab.evaluate('document.documentElement.dataset.theme')
        tab.keyboard.press('d')
        assert tab.evaluate('document.documentElement.dataset.theme') != theme
        inside = 'document.documentElement.scrollWidth <= window.innerWidth'
        assert tab.evaluate(inside)
    assert problems == []


@pytest.mark.slow(reason='needs playwright and Chromium')
def test_page_plays_a_variable_frame_rate(clip, tmp_path):
    times = np.where(clip.frame < 5, clip.frame / 25, 60 + clip.frame)
    write_html(replace(clip, time=times), tmp_path / 'uneven.html')
    with open_tab(1280) as (tab, problems):
        tab.goto((tmp_path / 'uneven.html').as_uri())
        tab.wait_for_function('window.mmhot !== undefined')
        tab.keyboard.press('End')
        assert tab.locator('#clock').inner_text() == '195.00 s · frame 135'
        tab.keyboard.press('Home')
        tab.locator('#play').click()
        tab.wait_for_function('mmhot.state.frame > 4.001')
        # the fifth frame lasts for more than a minute
        tab.wait_for_timeout(1000)
        assert 4 < tab.evaluate('mmhot.state.frame') < 4.2
    assert problems == []
