"""Web page that plays a lifted clip."""

import base64
import filecmp
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from browser import open_tab
from numpy.testing import assert_allclose, assert_array_equal
from rendered_clips import joined, rendered, with_expected_errors
from scipy.spatial.transform import Rotation
from video_files import gray_image, write_video

from mmhot.frames.sources import VideoFile
from mmhot.io.writers.mannequin import make_mannequin
from mmhot.io.writers.rigid_skeleton import Y_UP, RigidMotion, fit_rig
from mmhot.io.writers.rigs import HUMAN_IK
from mmhot.lifting.world import place_people, to_world
from mmhot.visualization.clip_renderer import doubts
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


def test_page_has_expected_errors(clip, page, tmp_path):
    assert not array(content(page)['people'][0]['doubts'], 'u1').any()
    assert 'Expected error' not in content(page)['facts']
    clip = with_expected_errors(clip, unknown=(4, 6))
    write_html(clip, tmp_path / 'page.html')
    data = content(tmp_path / 'page.html')
    shown = array(data['people'][0]['doubts'], 'u1', 17) / 255
    assert_allclose(shown, doubts(clip, slice(None)), atol=0.002)
    assert 0 < shown.mean() < 1
    wanted = '15.0 cm on average; joints fade from 5 to 10 cm'
    assert data['facts']['Expected error'] == wanted


def test_vertices_fade_with_the_nearest_bone(page, clip):
    shared = content(page)['mannequin']
    ends, along = array(shared['ends'], 'u1', 2), array(shared['along'], 'u1') / 255
    motion = fit_rig(clip.places(), HUMAN_IK)
    mesh = make_mannequin(motion, HUMAN_IK)
    rest = motion.rest()[HUMAN_IK.lifted]
    nearest = (
        rest[ends[:, 0]] * (1 - along[:, None]) + rest[ends[:, 1]] * along[:, None]
    )
    distances = np.linalg.norm(mesh.vertices - nearest, axis=1)
    points = np.linspace(0, 1, 100)[:, None]
    for parent, child in zip(clip.parents[1:], range(1, 17), strict=True):
        bone = rest[parent] * (1 - points) + rest[child] * points
        others = np.linalg.norm(mesh.vertices[:, None] - bone, axis=-1).min(1)
        assert (others > distances - 2e-3).all()
    assert_array_equal(np.array(clip.parents)[ends[:, 1]], ends[:, 0])
    # the tip of the left hand has the wrist's error
    tip = mesh.vertices[:, 0].argmax()
    assert (clip.joint_names[ends[tip, 1]], along[tip]) == ('left_wrist', 1)


def test_page_holds_the_mannequins(page, clip):
    data = content(page)
    shared, body = data['mannequin'], data['people'][0]['body']
    motion = fit_rig(clip.places(), HUMAN_IK)
    turns = np.zeros((len(clip), 27, 3))
    turns[:, body['turning']] = (
        array(body['turns'], '<i2', len(body['turning']), 3) / shared['turnSteps']
    )
    matrices = Rotation.from_rotvec(turns.reshape(-1, 3)).as_matrix()
    read = RigidMotion(
        tuple(shared['parents']),
        array(body['offsets'], '<f4', 3),
        array(body['root'], '<i2', 3) / 1000 + data['people'][0]['origin'] @ Y_UP.T,
        matrices.reshape(len(clip), 27, 3, 3),
    )
    assert_allclose(read.positions(), motion.positions() @ Y_UP.T, atol=2e-3)
    mesh = make_mannequin(motion, HUMAN_IK)
    vertices = array(body['vertices'], '<i2', 3) / 1000
    assert_allclose(vertices, mesh.vertices, atol=6e-4)
    assert_array_equal(array(shared['faces'], '<u2', 3), mesh.faces)
    assert_array_equal(array(shared['joints'], 'u1', 2), mesh.joints)
    assert_allclose(array(shared['weights'], 'u1', 2) / 255, mesh.weights, atol=3e-3)
    assert shared['sides'][1:6] == [1] * 3 + [2] * 2


def test_page_holds_the_timestamps_of_a_variable_frame_rate(clip, page, tmp_path):
    assert content(page)['times'] is None
    times = np.cumsum(np.linspace(0.02, 0.06, len(clip)))
    write_html(replace(clip, time=times), tmp_path / 'uneven.html')
    written = array(content(tmp_path / 'uneven.html')['times'], '<f4')
    assert_allclose(written, times, atol=1e-5)


def test_frames_of_the_video_are_stored(clip, tmp_path, monkeypatch):
    images = [gray_image(number) for number in range(30)]
    video = write_video(tmp_path / 'v.mkv', images, codec='ffv1', pix_fmt='bgr0')
    clip = clip.take((clip.frame >= 2) & (clip.frame < 26))
    counts = []
    for name, limit in (('all', 10**6), ('some', 5000)):
        monkeypatch.setattr('mmhot.visualization.html._MAX_FRAME_BYTES', limit)
        footage, path = VideoFile(video), tmp_path / f'{name}.html'
        shown = dict(progress=lambda *x: counts.append(x), html_frames=True)
        write_html(clip, path, footage=footage, **shown)
        stored = content(path)['images'].items()
        images = {int(number): base64.b64decode(text) for number, text in stored}
        assert sum(map(len, images.values())) <= limit
        numbers = sorted(images)
        assert numbers == list(range(2, 26, numbers[1] - 2))
        for number, image in images.items():
            decoded = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)
            assert decoded.shape == (48, 64, 3)
            assert round((decoded[-6:-2, -6:-2].mean() - 40) / 4) == number
        assert (name == 'all') == (len(numbers) == 24)
    assert counts[-1] == (26, 26)
    assert content(path)['images']
    # of long videos only if asked
    monkeypatch.setattr('mmhot.visualization.html._MAX_FRAME_BYTES', 1000)
    counts.clear()
    write_html(clip, path, footage=VideoFile(video), progress=shown['progress'])
    assert content(path)['images'] == {}
    assert len(counts) <= 3  # found before the limit is reached


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


@pytest.mark.slow(reason='needs npm and the registry')
def test_the_bundle_is_built_from_the_source(tmp_path):
    npm = shutil.which('npm') or pytest.skip('npm is not installed')
    folder = tmp_path / 'viewer'
    ignored = shutil.ignore_patterns('node_modules', 'bundle.js')
    shutil.copytree(VIEWER, folder, ignore=ignored)
    for command in (['ci'], ['run', 'build']):
        subprocess.run([npm, *command], cwd=folder, check=True, capture_output=True)
    built, own = (each / 'bundle.js' for each in (folder, VIEWER))
    assert filecmp.cmp(built, own, shallow=False)


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
        hips = fit_rig(clip.places(), HUMAN_IK).root[100] @ Y_UP.T
        assert_allclose(tab.evaluate('mmhot.bone(0, 0)'), hips, atol=2e-3)
        tab.keyboard.press('b')
        assert not tab.evaluate('mmhot.state.body')

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
def test_browser_shows_legend_and_frames(clip, tmp_path):
    images = [np.full((360, 640, 3), (40 + n, 90, 40), np.uint8) for n in range(136)]
    video = write_video(tmp_path / 'v.mkv', images, codec='ffv1', pix_fmt='bgr0')
    write_html(clip, tmp_path / 'a.html', footage=VideoFile(video))
    with open_tab(1280) as (tab, problems):
        tab.goto((tmp_path / 'a.html').as_uri())
        tab.wait_for_function('window.mmhot !== undefined')
        assert tab.locator('#legend').inner_text().split() == ['left', 'right']
        tab.locator('#timeline').fill('100')
        corner = "[...document.getElementById('ghost').getContext('2d')"
        corner += '.getImageData(2, 2, 1, 1).data]'
        tab.wait_for_function(f'{corner}[3] === 255')
        assert_allclose(tab.evaluate(corner), [40, 90, 140, 255], atol=3)
    assert problems == []


def scenes():
    """Portrait, on a box, six people, far away, lying."""
    walk = to_world(place_people(rendered('walk'))).take(np.arange(0, 136, 8))
    lie = Rotation.from_euler('x', -90, degrees=True).as_matrix()
    crowd = walk
    for n in range(1, 6):
        moved = walk.root_3d + np.float32([n, n, 0])
        crowd = joined(crowd, replace(walk, track=walk.track + n, root_3d=moved))
    lying = walk.keypoints_3d @ lie.T.astype(np.float32)
    raised, away = np.float32([0, 0, 0.9]), np.float32([0, 30, 0])
    return {
        'portrait': replace(walk, width=1080, height=1920),
        'box': replace(walk, root_3d=walk.root_3d + raised),
        'six': crowd,
        'far': replace(walk, root_3d=walk.root_3d + away),
        'lying': replace(walk, keypoints_3d=lying, root_3d=walk.root_3d * [1, 1, 0.2]),
    }


@pytest.mark.slow(reason='needs playwright and Chromium')
@pytest.mark.parametrize('width', [1280, 390])
@pytest.mark.parametrize('name', ['portrait', 'box', 'six', 'far', 'lying'])
def test_views_show_all_joints_beside_the_panels(name, width, tmp_path):
    write_html(scenes()[name], tmp_path / 'a.html')
    with open_tab(width) as (tab, problems):
        tab.goto((tmp_path / 'a.html').as_uri())
        tab.wait_for_function('window.mmhot !== undefined')
        boxes = [tab.locator(x).bounding_box() for x in ('header', '#ghost', 'footer')]
        for view in ('front', 'side', 'top', 'follow'):
            if view == 'follow':
                tab.locator('#follow').click()
            else:
                tab.locator(f'[data-view={view}]').click()
            people = 1 if view == 'follow' else len(scenes()[name].people)
            found = []
            for frame in (0, 64, 128):
                tab.locator('#timeline').fill(str(frame))
                if view == 'follow':
                    tab.locator('#follow').click()
                    tab.locator('#follow').click()
                tab.wait_for_timeout(200)
                for person in range(people):
                    pixels = (
                        f'mmhot.clip.joints.map((_, n) => mmhot.pixel({person}, n))'
                    )
                    found += tab.evaluate(pixels)
            x, y = np.array(found).T
            size = tab.viewport_size
            assert 0 <= x.min() < x.max() <= size['width'], view
            assert 0 <= y.min() < y.max() <= size['height'], view
            for box in boxes:
                beside = (x < box['x']) | (x > box['x'] + box['width'])
                above = (y < box['y']) | (y > box['y'] + box['height'])
                assert (beside | above).all(), (view, box)
            # what is seen is not tiny
            assert max(np.ptp(x), np.ptp(y)) > 0.25 * min(size.values()), view
    assert problems == []
