"""Web page that plays a lifted clip."""

import base64
import filecmp
import html
import json
import re
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import replace
from itertools import combinations, product

import cv2
import numpy as np
import pytest
from browser import open_tab
from paths import ROOT
from rendered_clips import H36M, joined, rendered, with_expected_errors
from scipy.spatial.transform import Rotation
from video_files import gray_image, write_video

from mmhot.chain.frames.files import VideoFile
from mmhot.chain.keypoints.corrections import CorrectPeople
from mmhot.chain.lifting.world import place_people, to_world
from mmhot.chain.visualization.fading import doubts
from mmhot.chain.visualization.html import Thumbnails, write_html
from mmhot.io.writers.angles import write_csv
from mmhot.io.writers.export import Export
from mmhot.io.writers.mannequin import make_mannequin
from mmhot.io.writers.rigid_skeleton import Y_UP, RigidMotion, fit_rig
from mmhot.io.writers.rigs import HUMAN_IK
from mmhot.structures.clips_2d import Clip2D, Track2D
from mmhot.structures.clips_3d import BodyHeight

VIEWER = ROOT / 'mmhot/chain/visualization/viewer'


@pytest.fixture(scope='module')
def clip():
    return to_world(place_people(rendered('walk')))


@pytest.fixture
def page(clip, tmp_path):
    write_html(clip, tmp_path / 'walk.html')
    return tmp_path / 'walk.html'


@pytest.fixture
def shown(clip, tmp_path):
    """A page with expected errors, angles and images."""
    images = [np.full((360, 640, 3), (40 + n, 90, 40), np.uint8) for n in range(136)]
    video = write_video(tmp_path / 'v.mkv', images, codec='ffv1')
    clip = with_expected_errors(clip, unknown=(4, 6))
    write_html(clip, tmp_path / 'a.html', Export(VideoFile(video)))
    return tmp_path / 'a.html'


def content(page):
    text = page.read_text(encoding='utf-8')
    (data,) = re.findall(
        r'<script type="application/json" id="clip">(.*?)</script>', text
    )
    return json.loads(data)


@contextmanager
def opened(path, width=1280, height=800, **media):
    """Yield a tab that shows a page; the page reports no problem."""
    with open_tab(width) as (tab, problems):
        tab.set_viewport_size({'width': width, 'height': height})
        tab.emulate_media(**media)
        tab.goto(path.as_uri())
        tab.wait_for_function('window.mmhot !== undefined')
        yield tab
    assert problems == []


def array(text, kind, *shape):
    return np.frombuffer(base64.b64decode(text), kind).reshape(-1, *shape)


def test_page_holds_the_clip_to_the_millimeter(page, clip):
    data = content(page)
    (person,) = data['people']
    positions = array(person['positions'], '<i2', 17, 3) / 1000 + person['origin']
    expected = clip.keypoints_3d + clip.root_3d[:, None]
    np.testing.assert_allclose(positions, expected, atol=6e-4)
    pixels = array(person['pixels'], '<i2', 17, 2) / data['pixelSteps']
    np.testing.assert_allclose(pixels, clip.keypoints_2d, atol=0.13)
    np.testing.assert_array_equal(array(person['frames'], '<i4'), clip.frame)
    assert (data['first'], data['count'], data['fps']) == (0, 136, 25.0)
    assert data['sides'][:5] == [0, 2, 2, 2, 1]


def test_page_has_expected_errors(clip, page, tmp_path):
    assert not array(content(page)['people'][0]['doubts'], 'u1').any()
    assert 'Expected error' not in content(page)['facts']
    clip = with_expected_errors(clip, unknown=(4, 6))
    write_html(clip, tmp_path / 'page.html')
    data = content(tmp_path / 'page.html')
    shown = array(data['people'][0]['doubts'], 'u1', 17) / 255
    np.testing.assert_allclose(shown, doubts(clip, slice(None)), atol=0.002)
    assert 0 < shown.mean() < 1
    errors = array(data['people'][0]['errors'], 'u1', 17) * float(data['errorStep'])
    in_videos = 1800 * np.nan_to_num(clip.expected_error)
    np.testing.assert_allclose(errors, in_videos, atol=1.6)
    assert data['facts']['Expected error'].startswith('27.0 cm on average, 1.8 times')


def test_page_has_the_angles_of_the_table(page, clip, tmp_path):
    data = content(page)
    write_csv(clip, tmp_path / 'a.csv')
    table = np.genfromtxt(tmp_path / 'a.csv', delimiter=',', names=True)
    names = table.dtype.names[3:]
    expected = np.stack([table[name] for name in names], axis=1)
    angles = array(data['people'][0]['angles'], '<i2', len(names)) / 10
    np.testing.assert_allclose(angles, expected, atol=0.051)
    shown = {name: data['joints'][joint] for joint, name in data['angles']}
    assert tuple(shown) == names
    expected = {
        'knee_angle_l': 'left knee',
        'hip_adduction_r': 'right hip',
        'arm_flex_l': 'left shoulder',
        'pelvis_tilt': 'root',
    }
    assert expected.items() <= shown.items()
    assert data['joints'][3] == 'right ankle'


def test_page_has_the_foot_contacts(page, clip):
    spans = content(page)['people'][0]['contacts']
    for side, ankle in enumerate(('left_foot', 'right_foot'), start=1):
        places = clip.places()[:, H36M.joints.index(ankle)]
        speed = np.linalg.norm(np.gradient(places, 1 / clip.fps, axis=0), axis=-1)
        of_side = [span[1:] for span in spans if span[0] == side]
        assert len(of_side) in (4, 5, 6)  # steps
        stands = np.zeros(len(clip), bool)
        for first, last in of_side:
            stands[first : last + 1] = True
        assert 0.4 < stands.mean() < 0.7
        assert speed[stands].mean() < 0.35 < 1.5 < speed[~stands].mean()
    # unknown where an ankle was not detected, or without 2D keypoints
    scores = clip.scores * (np.array(H36M.joints) != 'left_foot')
    write_html(replace(clip, keypoint_scores_3d=scores), page)
    right = [span for span in spans if span[0] == 2]
    assert content(page)['people'][0]['contacts'] == right
    unseen = replace(clip, keypoints_2d=np.full_like(clip.keypoints_2d, np.nan))
    write_html(unseen, page)
    assert content(page)['people'][0]['contacts'] == []


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
    np.testing.assert_array_equal(np.array(clip.parents)[ends[:, 1]], ends[:, 0])
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
    np.testing.assert_allclose(read.positions(), motion.positions() @ Y_UP.T, atol=2e-3)
    mesh = make_mannequin(motion, HUMAN_IK)
    vertices = array(body['vertices'], '<i2', 3) / 1000
    np.testing.assert_allclose(vertices, mesh.vertices, atol=6e-4)
    np.testing.assert_array_equal(array(shared['faces'], '<u2', 3), mesh.faces)
    np.testing.assert_array_equal(array(shared['joints'], 'u1', 3), mesh.joints)
    weights = array(shared['weights'], 'u1', 3)
    np.testing.assert_allclose(weights / 255, mesh.weights, atol=5e-3)
    # or people would be drawn towards the origin
    assert (weights.sum(1, dtype=int) == 255).all()
    assert shared['sides'][1:6] == [1] * 3 + [2] * 2


def test_page_holds_the_timestamps_of_a_variable_frame_rate(clip, page, tmp_path):
    assert content(page)['times'] is None
    times = np.cumsum(np.linspace(0.02, 0.06, len(clip)))
    write_html(replace(clip, variable_time=times), tmp_path / 'uneven.html')
    written = array(content(tmp_path / 'uneven.html')['times'], '<f4')
    np.testing.assert_allclose(written, times, atol=1e-5)


@pytest.fixture
def video(tmp_path):
    """A video of 30 frames."""
    images = [gray_image(number) for number in range(30)]
    return write_video(tmp_path / 'v.mkv', images, codec='ffv1')


def test_frames_of_the_video_are_stored(clip, video, tmp_path, monkeypatch):
    clip = clip.take((clip.frame >= 2) & (clip.frame < 26))
    counts = []
    for name, limit in (('all', 10**6), ('some', 5000)):
        monkeypatch.setattr(
            'mmhot.chain.visualization.html._MAX_THUMBNAIL_BYTES', limit
        )
        path = tmp_path / f'{name}.html'
        export = Export(VideoFile(video), progress=lambda *x: counts.append(x))
        write_html(clip, path, export)
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


def test_images_from_the_first_reading_are_those_of_a_second(
    clip, video, tmp_path, monkeypatch
):
    part, thumbnails = clip.take((clip.frame >= 2) & (clip.frame < 26)), Thumbnails()
    for frame in VideoFile(video):
        thumbnails.observe(frame.index, frame.image, None, False)
    write_html(part, tmp_path / 'read.html', Export(VideoFile(video)))
    # images of other frames are read from the video
    with pytest.raises(TypeError, match='is not iterable'):
        write_html(clip, tmp_path / 'a.html', Export(1, thumbnails.images))
    write_html(part, tmp_path / 'seen.html', Export(1, thumbnails.images))
    read, seen = (content(tmp_path / f'{x}.html')['images'] for x in ('read', 'seen'))
    assert len(seen) == 24
    assert seen == read
    monkeypatch.setattr('mmhot.chain.visualization.html._MAX_THUMBNAIL_BYTES', 5000)
    thumbnails.observe(30, gray_image(0))
    assert sorted(thumbnails.images)[1] > 1
    assert sum(map(len, thumbnails.images.values())) <= 5000


def test_page_is_self_contained_and_small(page):
    text = page.read_text(encoding='utf-8')
    assert not re.findall(r'(?:src|href)=["\'](?!data:)', text)
    assert 'import(' not in text
    assert page.stat().st_size < 1_500_000


def test_notebooks_show_the_viewer(clip, monkeypatch):
    in_camera = place_people(rendered('walk'))
    frame = in_camera._repr_html_()
    (text,) = re.findall('<iframe .*sandbox="allow-.*" srcdoc="(.*?)">', frame, 16)
    page = html.unescape(text)
    assert page.startswith('<!doctype html>')
    (data,) = re.findall('<script type="application/json" id="clip">(.*?)</sc', page)
    assert json.loads(data)['count'] == len(in_camera)
    assert len(frame) < 1.5e6
    # others are shown as text
    animal = replace(clip, joint_names=('nose', *clip.joint_names[1:]))
    assert animal._repr_html_() is None
    assert clip.take(clip.frame < 0)._repr_html_() is None
    monkeypatch.setattr('mmhot.chain.visualization.html._MAX_NOTEBOOK_BYTES', 500_000)
    assert in_camera._repr_html_() is None


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
    with opened(page, width) as tab:
        heads = []
        for frame in (0, 100):
            tab.locator('#timeline').fill(str(frame))
            x, y, z = tab.evaluate('mmhot.joint(0, 10)')
            heads.append([x, -z, y])
        expected = (clip.keypoints_3d + clip.root_3d[:, None])[[0, 100], 10]
        np.testing.assert_allclose(heads, expected, atol=2e-3)
        hips = fit_rig(clip.places(), HUMAN_IK).root[100] @ Y_UP.T
        np.testing.assert_allclose(tab.evaluate('mmhot.bone(0, 0)'), hips, atol=2e-3)
        tab.keyboard.press('b')
        assert tab.locator('#body').get_attribute('aria-pressed') == 'false'

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


@pytest.mark.slow(reason='needs playwright and Chromium')
def test_undetected_legs_are_shown_on_request(clip, page):
    names = [not name.endswith(('knee', 'foot')) for name in clip.joint_names]
    scores = clip.scores * np.float32(names)
    write_html(replace(clip, scores=scores, keypoint_scores_3d=scores), page)
    with opened(page, reduced_motion='reduce') as tab:

        def lowest():
            """Lowest colored pixel of the 2D and of the 3D view."""
            tab.wait_for_timeout(300)
            image = np.frombuffer(tab.screenshot(), np.uint8)
            image = cv2.imdecode(image, cv2.IMREAD_COLOR)[50:740].astype(int)
            colored = np.abs(image[..., 2] - image[..., 0]) > 40
            return [np.nonzero(x.any(1))[0].max() for x in np.split(colored, 2, 1)]

        bodies = lowest()
        tab.keyboard.press('b')
        sticks = lowest()
        tab.locator('#undetected').click()
        whole = lowest()
        tab.keyboard.press('b')
        assert (np.subtract(whole, sticks) > 40).all()
        assert (np.subtract(lowest(), bodies) > 40).all()
    write_html(clip, page)
    with opened(page) as tab:
        assert tab.locator('#undetected').is_hidden()


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
    with opened(tmp_path / 'a.html', width) as tab:
        boxes = [tab.locator(x).bounding_box() for x in ('header', '#ghost', 'footer')]
        for follows, view in product((False, True), ('front', 'side', 'top')):
            if (
                tab.locator('#follow').get_attribute('aria-pressed') == 'true'
            ) != follows:
                tab.locator('#follow').click()
            tab.locator(f'[data-view={view}]').click()
            assert tab.locator('[data-view][aria-pressed=true]').count() == 1
            places = []
            for frame in (0, 64, 128):
                tab.locator('#timeline').fill(str(frame))
                tab.wait_for_timeout(100)
                for person in range(1 if follows else len(scenes()[name].people)):
                    pixels = (
                        f'mmhot.clip.joints.map((_, n) => mmhot.pixel({person}, n))'
                    )
                    places += tab.evaluate(pixels)
            x, y = np.array(places).T
            size = tab.viewport_size
            assert 0 <= x.min() < x.max() <= size['width'], view
            assert 0 <= y.min() < y.max() <= size['height'], view
            for box in boxes:
                beside = (x < box['x']) | (x > box['x'] + box['width'])
                above = (y < box['y']) | (y > box['y'] + box['height'])
                assert (beside | above).all(), (view, box)
            # what is seen is not tiny
            assert max(np.ptp(x), np.ptp(y)) > 0.25 * min(size.values()), view


SIZES = {'desk': (1440, 900), 'small': (1024, 768), 'phone': (390, 844)}
SIZES['landscape'] = (844, 390)


@pytest.mark.slow(reason='needs playwright and Chromium')
@pytest.mark.parametrize('size', SIZES)
def test_layout(shown, size):
    width, height = SIZES[size]
    with opened(shown, width, height) as tab:
        tab.locator('#info').click()
        parts = ('header', '#ghost', '#stage', 'footer', '#facts')
        tab.wait_for_timeout(200)
        header, flat, stage, footer, facts = (
            tab.locator(part).bounding_box() for part in parts
        )
        # Information covers nothing.
        if size == 'phone':
            assert flat['width'] > 370
            assert flat['y'] + flat['height'] <= stage['y']
            assert stage['height'] > 250
            assert stage['y'] + stage['height'] <= facts['y']
        else:
            assert flat['width'] >= (480 if width > 1000 else 350)
            assert flat['x'] + flat['width'] <= stage['x']
            assert min(flat['height'], stage['height']) > 0.7 * height
            assert stage['x'] + stage['width'] <= facts['x']
        assert header['height'] + footer['height'] < (160 if size == 'phone' else 100)
        # the followed person fills the view
        assert tab.locator('#follow').get_attribute('aria-pressed') == 'true'
        pixels = tab.evaluate('mmhot.clip.joints.map((_, n) => mmhot.pixel(0, n))')
        assert np.ptp(pixels, axis=0)[1] > 0.5 * stage['height']
        assert tab.locator('#large').is_visible() == (size != 'phone')
        tab.keyboard.press('e')
        tab.wait_for_timeout(200)
        large = tab.locator('#ghost').bounding_box()
        assert size == 'phone' or large['width'] > 1.2 * flat['width']
        assert tab.evaluate('document.body.scrollWidth') <= width


@pytest.mark.slow(reason='needs playwright and Chromium')
def test_keys_do_what_the_focused_control_does(clip, tmp_path):
    other = replace(clip, track=clip.track + 3, root_3d=clip.root_3d + np.float32(1))
    write_html(joined(clip, other), tmp_path / 'a.html')
    with opened(tmp_path / 'a.html', reduced_motion='reduce') as tab:
        assert not tab.evaluate('mmhot.state.playing')
        assert tab.locator('#follow').get_attribute('aria-pressed') == 'false'
        assert tab.locator('#names span').all_inner_texts() == ['Person 0', 'Person 3']
        box = tab.locator('#people input').nth(1)
        assert 'Person 3' in tab.locator('#people').inner_text()
        tab.keyboard.press('v')  # fills the view; its name stays inside
        tab.set_viewport_size({'width': 844, 'height': 390})
        tab.wait_for_timeout(200)
        boxes = (
            tab.locator(x).bounding_box() for x in ('#names span >> nth=0', '#stage')
        )
        assert next(boxes)['y'] >= next(boxes)['y']
        tab.keyboard.press('v')
        for key in ('Space', 'Enter'):
            for open_now in (True, False):
                tab.locator('#info').focus()
                tab.keyboard.press(key)
                assert tab.locator('#facts').is_visible() == open_now
            for checked in (False, True):
                box.focus()
                tab.keyboard.press(key)
                assert box.is_checked() == checked
            assert not tab.evaluate('mmhot.state.playing')
        for target in ('#timeline', '#play', None):
            tab.evaluate('document.activeElement.blur()')
            if target:
                tab.locator(target).focus()
            for playing in (True, False):
                tab.keyboard.press('Space')
                assert tab.evaluate('mmhot.state.playing') == playing


@pytest.mark.slow(reason='needs playwright and Chromium')
def test_joints_show_their_values(shown, clip):
    data = content(shown)
    person = data['people'][0]
    with opened(shown, reduced_motion='reduce') as tab:
        tab.locator('#timeline').fill('30')
        tab.wait_for_timeout(200)
        knee = clip.joint_names.index('left_knee')
        tab.mouse.move(*tab.evaluate(f'mmhot.pixel(0, {knee})'))
        tab.locator('#hint').wait_for()
        name, angle, error = tab.locator('#hint').inner_text().split('\n')
        assert name == 'left knee'
        row = array(person['angles'], '<i2', len(data['angles']))[30]
        (expected,) = row[[joint == knee for joint, _ in data['angles']]] / 10
        assert float(angle.removeprefix('angle ').rstrip('°')) == round(expected)
        expected = array(person['errors'], 'u1', 17)[30, knee] * data['errorStep'] / 10
        assert error == f'expected error {expected:.1f} cm'
        tab.keyboard.press('j')
        assert 'root\ntilt' in tab.locator('#hint').inner_text()
        tab.keyboard.press('Escape')
        tab.locator('#hint').wait_for(state='hidden')


@pytest.mark.slow(reason='needs playwright and Chromium')
@pytest.mark.parametrize('size', SIZES)
def test_curves_of_angles(shown, clip, size, tmp_path):
    """Curves follow clicks, keys and the list; files have what is seen."""
    data, (width, height) = content(shown), SIZES[size]
    table = array(data['people'][0]['angles'], '<i2', len(data['angles'])) / 10
    names = [name for _, name in data['angles']]
    with opened(shown, width, height, reduced_motion='reduce') as tab:
        tab.locator('#timeline').fill('30')
        tab.wait_for_timeout(200)
        elbow = clip.joint_names.index('left_elbow')
        tab.mouse.click(*tab.evaluate(f'mmhot.pixel(0, {elbow})'))
        chips = tab.locator('.curve')
        value = round(table[30, names.index('elbow_flex_l')])
        assert chips.all_inner_texts() == [f'left elbow flex {value}°']
        tab.locator('#add').select_option(label='right hip flexion')
        for key in ('j', 'c'):  # the root
            tab.keyboard.press(key)
        assert [x.rpartition(' ')[0] for x in chips.all_inner_texts()] == [
            'left elbow flex',
            'right hip flexion',
            'pelvis tilt',
        ]
        plot, stage, line = (
            tab.locator(x).bounding_box() for x in ('#plot', '#stage', '#timeline')
        )
        assert stage['y'] + stage['height'] <= plot['y']
        assert plot['y'] + plot['height'] <= height
        assert (plot['x'], plot['width']) == (line['x'], line['width'])
        # values at the pointer, which a press makes the current frame
        at = plot['x'] + 8 + (plot['width'] - 16) * 100 / 135
        tab.mouse.move(at, plot['y'] + 10)
        value = round(table[100, names.index('elbow_flex_l')])
        assert chips.first.inner_text() == f'left elbow flex {value}°'
        assert tab.evaluate('mmhot.state.frame') == 30
        tab.mouse.down()
        assert tab.evaluate('mmhot.state.frame') == 100
        tab.mouse.up()
        with tab.expect_download() as file:
            tab.locator('#csv').click()
        file.value.save_as(tmp_path / 'saved.csv')
        saved = np.genfromtxt(tmp_path / 'saved.csv', delimiter=',', names=True)
        assert saved.dtype.names == ('frame', 'time', 'track', *names)
        np.testing.assert_allclose(
            saved['knee_angle_r'], table[:, names.index('knee_angle_r')]
        )
        with tab.expect_download() as file:
            tab.keyboard.press('p')
        file.value.save_as(tmp_path / 'saved.png')
        image = cv2.imread(str(tmp_path / 'saved.png'))
        assert image.shape[1] == width
        # the blue and the orange of the sides, in 3D and in the curves
        start = int(plot['y'] - tab.locator('main').bounding_box()['y'])
        lines = image[start : start + int(plot['height'])]
        for part in (image[: int(stage['height'])], lines):
            blue, _, red = part.astype(int).transpose(2, 0, 1)
            assert (blue - red > 100).sum() > 50
            assert (red - blue > 100).sum() > 50
        for _ in range(3):
            chips.first.click()
        assert tab.locator('#chart').is_hidden()
        assert tab.evaluate('document.body.scrollWidth') <= width


@pytest.mark.slow(reason='needs playwright and Chromium')
def test_ranges_and_curves_of_several_people(clip, tmp_path):
    other = replace(clip, track=clip.track + 3, root_3d=clip.root_3d + np.float32(1))
    still = other.take(other.frame < 20)
    write_html(joined(clip, still), tmp_path / 'a.html')
    with opened(tmp_path / 'a.html', 1440, 900, reduced_motion='reduce') as tab:
        tab.keyboard.press('a')
        tab.locator('#curve-person').select_option(label='Person 3')
        tab.locator('#add').select_option(label='left knee')
        tab.keyboard.press('Home')
        values = [x.rpartition(' ')[0] for x in tab.locator('.curve').all_inner_texts()]
        assert values == ['0: right knee', '0: left knee', '3: left knee']
        column = tab.locator('#ranges th').all_inner_texts().index('knee')
        for person, frames in ((0, (0, 135)), (3, (0, 19)), (0, (30, 60))):
            tab.locator('#curve-person').select_option(label=f'Person {person}')
            tab.keyboard.press('w')
            for key, frame in zip(',.', frames, strict=True):
                tab.evaluate(f'mmhot.show({frame})')
                tab.keyboard.press(key)
            part = clip.take((clip.frame >= frames[0]) & (clip.frame <= frames[1]))
            for row, side in ((1, 'l'), (2, 'r')):
                angle = part.angles()[f'knee_angle_{side}'].round(1)
                low, high = (int(np.floor(x + 0.5)) for x in (angle.min(), angle.max()))
                cells = tab.locator(f'#ranges tr:nth-child({row + 1}) > *')
                text = f'{high - low}° ({low} to {high})'
                assert cells.nth(column).inner_text() == text
        assert tab.locator('#timeline').get_attribute('max') == '60'
        ranges = "document.getElementById('ranges')"
        assert tab.evaluate(f'{ranges}.scrollWidth <= {ranges}.clientWidth')
        assert tab.locator('#feet').inner_text() == 'feet of Person 0'
        labels = tab.locator('#add option').all_inner_texts()
        assert [x for x in labels if 'distance' in x] == ['distance to Person 3']
        # the image is as wide as its half
        boxes = (tab.locator(x).bounding_box()['width'] for x in ('#ghost', 'main'))
        assert next(boxes) > 0.48 * next(boxes)


@pytest.mark.slow(reason='needs playwright and Chromium')
@pytest.mark.parametrize('size', ['desk', 'phone'])
def test_corrections_are_saved_as_a_file_that_steps_read(clip, size, tmp_path):
    """The viewer shows what they change, and the file has what it shows."""
    other = replace(clip, track=clip.track + 3, root_3d=clip.root_3d + np.float32(1))
    earlier = [
        {'person': 9, 'leave_out': True},
        {'person': 3, 'wrong_joints': ['spine'], 'from': 70, 'to': 90},
    ]
    steps = {'corrections': {'corrections': earlier}}
    both = joined(clip, other.take(other.frame < 110))
    write_html(replace(both, steps=steps), tmp_path / 'a.html')
    width, height = SIZES[size]
    with opened(tmp_path / 'a.html', width, height, reduced_motion='reduce') as tab:

        def correct(kind, what, first=None, end=None):
            for frame, part in ((first, 'begin'), (end, 'end')):
                if frame is not None:
                    tab.evaluate(f'mmhot.show({frame})')
                    tab.locator(f'#corrections [data-part={part}]').click()
            tab.locator('#action').select_option(label=kind)
            if what:
                tab.locator('#object').select_option(label=what)
            tab.locator('#make').click()

        def names(frame):
            tab.evaluate(f'mmhot.show({frame})')
            tab.wait_for_timeout(100)
            return tab.locator('#names span:not([hidden])').all_inner_texts()

        tab.keyboard.press('x')
        assert tab.locator('#made li').all_inner_texts() == [
            'Person 9: leave out',
            'Person 3: wrong joint spine, frames 70 to 90',
        ]
        assert tab.locator('#undo').is_disabled()
        correct('exchange left and right', 'legs', 44, 68)
        correct('exchange with', 'Person 3', 60)
        assert names(59) == ['Person 0', 'Person 3']
        assert names(60) == ['Person 3', 'Person 0']
        assert tab.locator('#whose').inner_text().split() == [
            'Person',
            '3',
            'Person',
            '0',
        ]
        correct('is', 'Person 3', 20, 30)
        assert tab.locator('#refusal').inner_text() == 'both are in frame 20'
        tab.locator('#corrections [data-part=whole]').click()
        correct('leave out', None, 100)
        assert names(100) == ['Person 0']
        tab.locator('#undo').click()
        assert names(100) == ['Person 3', 'Person 0']
        correct('wrong joint', 'left wrist', 50, 50)
        correct('is', 'another person', 120)
        inside = tab.locator('#corrections').bounding_box()
        assert inside['y'] + inside['height'] <= height
        assert tab.evaluate('document.body.scrollWidth') <= width
        assert 'infer VIDEO --corrections' in tab.locator('#use').inner_text()
        with tab.expect_download() as file:
            tab.locator('#save').click()
        assert file.value.suggested_filename.endswith('.corrections.json')
        file.value.save_as(tmp_path / 'a.json')
    assert json.loads((tmp_path / 'a.json').read_text()) == [
        earlier[0],
        {'person': 0, 'exchange_with': 3, 'from': 60},
        {'person': 3, 'is': 4, 'from': 120},
        {'person': 3, 'wrong_joints': ['spine'], 'from': 70, 'to': 90}
        | {'person': 0},  # its ID after the exchange
        {'person': 0, 'exchange_sides': 'legs', 'from': 44, 'to': 59},
        {'person': 3, 'exchange_sides': 'legs', 'from': 60, 'to': 68},
        {'person': 0, 'wrong_joints': ['left_wrist'], 'from': 50, 'to': 50},
    ]
    people = [
        Track2D(
            int(track),
            own.frame.astype(np.int64),
            own.keypoints_2d[:, :17],
            own.scores[:, :17],
        )
        for track in both.track_ids
        for own in [both.take(both.track == track)]
    ]
    people.append(replace(people[0], track=9))
    source = Clip2D('a', 'h36m-17', people, 1280, 720, 25.0)
    after = CorrectPeople.read({'corrections': tmp_path / 'a.json'})(source)
    assert after.track_ids == [0, 3, 4]
    assert after.tracks[2].frames.tolist() == [*range(120, 136)]


@pytest.mark.slow(reason='needs playwright and Chromium')
def test_mean_cycles_are_those_of_the_table(page, clip, tmp_path):
    clip.save(tmp_path / 'a.cycles.csv')
    table = np.genfromtxt(
        tmp_path / 'a.cycles.csv',
        delimiter=',',
        names=True,
        dtype=None,
        encoding='utf-8',
    )
    with opened(page, 1440, 900, reduced_motion='reduce') as tab:
        tab.keyboard.press('a')
        tab.locator('#cycle').click()
        plot = tab.locator('#plot').bounding_box()
        for percent in (0, 30, 75):
            at = plot['x'] + 8 + (plot['width'] - 16) * percent / 100
            tab.mouse.move(at, plot['y'] + 10)
            left, right = table[table['percent'] == percent]
            names = 'knee_angle_mean', 'knee_angle_sd', 'cycles'
            texts = ' '.join(tab.locator('.curve').all_inner_texts())
            shown = [float(x) for x in re.findall(r'-?[0-9]+', texts)]
            expected = [row[name] for row in (right, left) for name in names]
            np.testing.assert_allclose(shown, expected, atol=0.8)
        tab.evaluate('mmhot.show(70)')
        tab.keyboard.press('.')  # leaves one cycle, or none
        texts = tab.locator('.curve').all_inner_texts()
        assert [x[-17:] for x in texts] == ['– (0 of 2 cycles)', '– (1 of 2 cycles)']


@pytest.mark.slow(reason='needs playwright and Chromium')
@pytest.mark.parametrize('count', [2, 4])
def test_people_have_apart_names_heights_and_distances(clip, count, tmp_path):
    one = people = to_world(place_people(rendered('dance'))).take(np.arange(100))
    for number in range(1, count):
        root = one.root_3d + np.float32([0.2 * number, 0.1, 0])
        people = joined(people, replace(one, track=one.track + number, root_3d=root))
    heights = {1: BodyHeight(1.53, 0.05, 'floor')}
    write_html(replace(people, heights=heights), tmp_path / 'a.html')
    with opened(tmp_path / 'a.html', 390, 844, reduced_motion='reduce') as tab:
        assert 'Person 1 (1.53 m, floor)' in tab.locator('#people').inner_text()
        for frame, view in product((0, 40, 90), 'fst'):
            tab.evaluate(f'mmhot.show({frame})')
            tab.keyboard.press(view)
            tab.wait_for_timeout(100)
            boxes = [x.bounding_box() for x in tab.locator('#names span').all()]
            for box, other in combinations(boxes, 2):
                x, y = (abs(box[axis] - other[axis]) + 0.1 for axis in 'xy')
                assert x >= min(box['width'], other['width']) or y >= box['height']
        tab.keyboard.press('a')
        tab.locator('#add').select_option(label='distance to Person 1')
        text = tab.locator('.curve').last.inner_text()
        assert text == '0: distance to Person 1 0.22 m'
        assert tab.locator('#cycle').count() == 0  # nobody walks


@pytest.mark.slow(reason='needs playwright and Chromium')
def test_the_image_does_not_flicker(shown):
    with opened(shown) as tab:
        corner = (
            "document.getElementById('ghost').getContext('2d')"
            '.getImageData(2, 2, 1, 1).data[3]'
        )
        tab.wait_for_function(f'{corner} === 255')
        # jumps to frames whose image is not decoded, looked at before it can be
        found = tab.evaluate(f'[100, 20, 130, 60].map(x => (mmhot.show(x), {corner}))')
        assert found == [255] * 4


@pytest.mark.slow(reason='needs playwright, Chromium and npm')
def test_axe_finds_nothing(shown, tmp_path):
    npm = shutil.which('npm') or pytest.skip('npm is not installed')
    install = [npm, 'install', '--prefix', tmp_path, 'axe-core@4.10.3']
    subprocess.run(install, check=True, capture_output=True)
    script = (tmp_path / 'node_modules/axe-core/axe.min.js').read_text()
    for (width, height), theme in product(SIZES.values(), ('light', 'dark')):
        with opened(
            shown, width, height, color_scheme=theme, reduced_motion='reduce'
        ) as tab:
            tab.locator('#info').click()
            tab.keyboard.press('j')
            tab.keyboard.press('a')
            tab.evaluate(script)
            assert tab.evaluate('axe.run().then(x => x.violations)') == []
