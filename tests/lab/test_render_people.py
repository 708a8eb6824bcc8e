"""Renderer of people: arguments; bodies, poses and labels if its extra is installed."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.transform import Rotation

import mmhot.plugin  # noqa: F401 registers
from mmhot.datasets.mocap_dataset import read_mocap_clips
from mmhot.datasets.packed_people import read_packed_people
from mmhot.datasets.rendered_people import RenderedPeopleDataset
from mmhot.io.arrays import load_json
from mmhot.skeletons.joints import get_skeleton
from tools.lab.coco_people import pack_coco

ROOT = Path(__file__).parents[2]
TOOL = 'tools.lab.render_people'
MOTIONS = ROOT / 'tests/data/cmu_mocap/cmu_h36m17.npz'
COCO = get_skeleton('coco-wholebody-133')
slow = pytest.mark.slow(reason='renders with anny and OpenGL, the extra of render.txt')


def render(target, *args, motions=MOTIONS):
    command = [sys.executable, '-m', TOOL, target, '--motions', motions, *args]
    command = list(map(str, command))
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def assert_refused(target, args, message):
    """Check for one line, and no output files."""
    done = render(target, *args)
    assert done.returncode == 2
    assert message in done.stderr
    assert 'Traceback' not in done.stderr
    assert not target.exists()


@pytest.fixture(scope='module')
def shard(tmp_path_factory):
    """Eight people, rendered twice."""
    pytest.importorskip('anny')
    shards = []
    for _ in range(2):
        folder = tmp_path_factory.mktemp('people')
        done = render(folder, '--people', 8, '--bodies', 4, '--seed', 3)
        assert done.returncode == 0, done.stderr
        shards.append(folder / 'people_seed3_00.npz')
    return shards


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        (['--people', '0'], '--people must be at least 1, got 0'),
        (['--shards', '-2'], '--shards must be at least 1, got -2'),
        (['--seed', '-1'], '--seed must be at least 0, got -1'),
        (['--lying', '2'], '--lying must be from 0 to 1, got 2.0'),
    ],
)
def test_wrong_arguments_get_one_line(tmp_path, args, message):
    assert_refused(tmp_path / 'out', args, message)


@slow
@pytest.mark.parametrize(
    ('args', 'message'),
    [
        (['--without-clips', 'S02/', 'S11/'], 'are excluded'),
        (['--without-clips', 'S99/'], "--without-clips: no clip starts with 'S99/'"),
        (['--only-clips', 'S99/'], "--only-clips: no clip starts with 'S99/'"),
        (['--only-clips', 'S02/', '--without-clips', 'S02/'], 'are excluded'),
        (['--panoramas', 'nowhere.tgz'], 'nowhere.tgz does not exist'),
        (['--without-panoramas', 'citty'], 'unknown panorama citty'),
    ],
)
def test_missing_clips_and_panoramas_get_one_line(tmp_path, args, message):
    pytest.importorskip('anny')
    assert_refused(tmp_path / 'out', args, message)


@slow
def test_missing_opengl_gets_one_line(tmp_path, monkeypatch):
    pytest.importorskip('anny')
    monkeypatch.setenv('MESA_GL_VERSION_OVERRIDE', '2.1')
    wanted = 'apt-get install libegl1 libgl1-mesa-dri'
    assert_refused(tmp_path / 'out', [], wanted)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (dict(walk=np.zeros((9, 17, 2))), 'walk must be (T, 17, 3), got (9, 17, 2)'),
        (dict(walk=np.zeros((0, 17, 3))), 'walk must be (T, 17, 3), got (0, 17, 3)'),
        (dict(walk=np.full((2, 17, 3), np.nan)), 'walk has values that are not finite'),
        (b'text', 'is no readable .npz of clips'),
        (b'', 'is no readable .npz of clips'),
    ],
)
def test_clips_that_cannot_be_read_are_named(tmp_path, content, message):
    path = tmp_path / 'clips.npz'
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.savez(path, **content)
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        read_mocap_clips(path)
    assert str(path) in str(error.value)
    with pytest.raises(FileNotFoundError, match=r'none\.npz does not exist'):
        read_mocap_clips(tmp_path / 'none.npz')


@slow
def test_limbs_of_a_posed_body_have_the_directions_of_the_pose(modules):
    anny = modules.bodies.build_anny()
    model = modules.bodies.read_body_model(anny)
    shapes = modules.bodies.sample_bodies(anny, 2, seed=1)
    sampler = modules.sampling.PoseSampler(dict(np.load(MOTIONS)))
    rng = np.random.default_rng(0)
    joints = {
        'shoulder': 'upperarm01',
        'elbow': 'lowerarm01',
        'wrist': 'wrist',
        'hip': 'upperleg01',
        'knee': 'lowerleg01',
        'foot': 'foot',
    }
    for _ in range(50):
        pose = sampler(rng)
        posed = modules.rigging.pose_body(model, shapes, 1, pose, rng)
        for name, ends in modules.poses.LIMBS.items():
            start, end = (
                posed.heads[model.bones[f'{joints[part]}.{side[0].upper()}']]
                for side, part in (joint.split('_') for joint in ends)
            )
            direction = (end - start) / np.linalg.norm(end - start)
            # limbs of the rig have a bone in the middle, slightly off the line
            assert_allclose(direction, pose.limbs[name], atol=5e-2, err_msg=name)
        assert model.skinned.max() < 13380  # without helpers and joints
        turned = posed.rotations @ posed.rotations.transpose(0, 2, 1)
        assert_allclose(turned, np.broadcast_to(np.eye(3), turned.shape), atol=1e-9)


@slow
def test_a_share_of_people_lies_on_the_floor(modules):
    clips = dict(np.load(MOTIONS))

    def upright(lying, seed):
        sampler = modules.sampling.PoseSampler(clips, lying)
        return sampler(np.random.default_rng(seed)).pelvis.apply((0, 0, 1))[2]

    # a few of them tumble
    lying = np.array([upright(1.0, seed) for seed in range(60)])
    assert (np.abs(lying) < 0.6).mean() > 0.9
    assert (np.array([upright(0.0, seed) for seed in range(60)]) > 0.6).mean() > 0.8


@slow
def test_keypoints_of_a_body_at_rest_are_plausible(modules):
    model = modules.bodies.read_body_model(modules.bodies.build_anny())
    points = dict(zip(COCO.joints, model.regressor @ model.template, strict=True))
    for left, right in COCO.flip_pairs:
        # a body that faces -y has the left side at +x, and is almost symmetric
        a, b = points[COCO.joints[left]], points[COCO.joints[right]]
        assert a[0] > b[0], COCO.joints[left]
        assert_allclose(a, b * (-1, 1, 1), atol=0.012, err_msg=COCO.joints[left])
    assert points['nose'][1] < points['left_ear'][1]
    assert points['nose'][2] > points['left_shoulder'][2] > points['left_hip'][2]
    for side in ('left', 'right'):
        for part in ('big_toe', 'small_toe', 'heel'):
            foot, ankle = points[f'{side}_{part}'], points[f'{side}_ankle']
            assert np.linalg.norm(foot - ankle) < 0.25, (side, part)
        assert points[f'{side}_heel'][1] > points[f'{side}_big_toe'][1] + 0.15


@slow
def test_faces_have_the_proportions_of_annotated_ones(modules):
    model = modules.bodies.read_body_model(modules.bodies.build_anny())
    face = (model.regressor @ model.template)[COCO.indices('face')][:, [0, 2]]
    flipped = (
        np.array(COCO.flip_indices)[COCO.indices('face')] - COCO.indices('face')[0]
    )
    assert_allclose(face, face[flipped] * (-1, 1), atol=2e-3)
    width = face[45, 0] - face[36, 0]
    face = (face - face[[36, 45]].mean(0)) / width
    # as of faces of COCO-WholeBody
    opening = face[[43, 44], 1].mean() - face[[46, 47], 1].mean()
    assert opening / (face[45, 0] - face[42, 0]) == pytest.approx(0.3, abs=0.06)
    assert_allclose(face[:4, 1], [0, -0.22, -0.44, -0.65], atol=0.04)
    assert face[17:27, 1].mean() == pytest.approx(0.23, abs=0.04)
    steps = np.linalg.norm(np.diff(face[:17], axis=0), axis=1)
    assert_allclose(steps, steps.mean(), rtol=0.35)


@slow
def test_labels_fit_the_images(shard):
    people = read_packed_people(shard[0])
    assert people.keypoints.shape == (8, 133, 2)
    labeled = people.visibility > 0
    assert (people.keypoints[labeled] >= 0).all()
    assert (people.keypoints[labeled] < (192, 256)).all()
    x, y, z = np.moveaxis(people.extras['cam3d'].astype(float), -1, 0)
    fx, fy, cx, cy = people.extras['K'].T[..., None]
    projected = np.stack([fx * x / z + cx, fy * y / z + cy], -1)
    body = labeled[:, :23] & (people.keypoints[:, :23] > 0).all(-1)
    error = projected[body] - people.keypoints[:, :23][body]
    # half precision of the 3D costs up to a pixel in close-ups
    assert np.abs(error).max() < 1
    assert_allclose(error.mean(0), 0, atol=0.05)
    assert 0.2 < (people.visibility[:, :17] == 2).mean() < 0.95
    for index in range(8):
        visible = people.keypoints[index][people.visibility[index] == 2]
        x1, y1, x2, y2 = people.bboxes[index]
        margin = 6  # joints are inside of the body
        inside = (visible >= (x1 - margin, y1 - margin)).all(1)
        assert (inside & (visible <= (x2 + margin, y2 + margin)).all(1)).mean() > 0.9
        assert people.decode(index).shape == (256, 192, 3)
        assert people.decode(index).std() > 10
    for skeleton, number in (('coco-17', 17), ('coco-wholebody-133', 133)):
        dataset = RenderedPeopleDataset(str(shard[0]), skeleton=skeleton)
        assert dataset[0]['keypoints'].shape == (1, number, 2)


@slow
@pytest.mark.parametrize('whole', [False, True])
def test_labels_are_centers_of_markers_in_the_image(modules, scenes, whole):
    size = (624, 624) if whole else (288, 384)
    sampler, rng = scenes(size), np.random.default_rng(0)
    sample = sampler.whole_image if whole else sampler.crop
    shards = modules.shards
    clip = shards._clip_whole_image if whole else shards._clip_crop
    renderer = modules.renderer.Renderer(size, np.zeros((1, 4, 4, 3), np.uint8))
    up, dark, bright = np.array([0, 0, 1.0]), np.zeros(3), np.ones(3)
    light = modules.renderer.Light(up, dark, bright, bright)
    black = np.zeros((*size[::-1], 3), np.float32)
    errors = []
    while len(errors) < 40:
        shot = sample(rng)
        if shot is None:
            continue
        camera, person = shot.camera, shot.people[0]
        low = np.maximum(shot.frame[:2], 0) + 20
        high = np.minimum(shot.frame[2:], size) - 20
        joints = (sampler.model.regressor @ person.posed.vertices)[:17]
        pixels = camera.project(joints)
        for joint in np.flatnonzero(((pixels > low) & (pixels < high)).all(1)):
            # a disc of 16 pixels that faces the camera
            radius = 16 * camera.to_camera(joints[joint])[2] / camera.intrinsics[0]
            disc = modules.props.place_ellipsoid(
                joints[joint],
                camera.rotation.T,
                np.array((radius, radius, 1e-4)),
                owner=person.owner,
            )
            scene = modules.renderer.Scene(light, black, [disc])
            _, depth, owners = renderer(scene, camera, joints[joint], 1.0)
            label = modules.labels.label_person(
                sampler.model, person, camera, shot.frame, depth, owners
            )
            shown = np.repeat(owners[..., None] == person.owner, 3, 2) * np.uint8(255)
            rendered = shards._encode(*clip(shown, shot.frame), shot, [label])
            gray = cv2.imdecode(np.frombuffer(rendered.encoded, np.uint8), 0)
            weights = np.where(gray > 40, gray, 0.0)  # without WebP's noise
            rows, columns = np.indices(gray.shape)
            center = [
                (weights * each).sum() / weights.sum() for each in (columns, rows)
            ]
            errors.append(rendered.labels[0].keypoints[joint] - center)
    renderer.release()
    assert np.abs(errors).max() < 0.1
    assert_allclose(np.mean(errors, 0), 0, atol=0.02)


@slow
def test_the_same_seed_gives_the_same_people(shard):
    first, second = map(read_packed_people, shard)
    assert_array_equal(first.keypoints, second.keypoints)
    assert_array_equal(first.visibility, second.visibility)
    assert_array_equal(first.images, second.images)


@slow
def test_whole_images_have_labels_of_all_people(tmp_path):
    pytest.importorskip('anny')
    args = '--whole-images', '--people', 12, '--bodies', 4, '--seed', 3
    contents = []
    for name in 'ab':
        done = render(tmp_path / name, *args)
        assert done.returncode == 0, done.stderr
        path = tmp_path / name / 'images_seed3_00' / 'annotations.json'
        contents.append(load_json(path))
    assert contents[0] == contents[1]
    images, people = contents[0]['images'], contents[0]['annotations']
    sizes = {image['id']: (image['width'], image['height']) for image in images}
    assert len(sizes) == 12 < len(people)
    assert all(max(size) == 416 for size in sizes.values())
    assert len(set(sizes.values())) > 2
    inside = []
    for person in people:
        x, y, width, height = person['bbox']
        assert 0 <= x < x + width <= sizes[person['image_id']][0] + 0.5
        assert 0 <= y < y + height <= sizes[person['image_id']][1] + 0.5
        assert 0 < person['area'] <= width * height + 1
        assert person['iscrowd'] == (person['area'] < 60 or min(width, height) < 5)
        points = np.array(person['keypoints']).reshape(17, 3)
        visible = points[points[:, 2] == 2, :2]
        margin = 0.1 * max(width, height) + 2
        low, high = np.array((x, y)), np.array((x + width, y + height))
        inside += [((visible > low - margin) & (visible < high + margin)).all(1)]
    assert np.concatenate(inside).mean() > 0.95
    packed = pack_coco(path, path.parent / 'images')
    assert packed.keypoints.shape[1:] == (133, 2)
    # as detectors read it
    from mmdet.datasets import CocoDataset

    files = dict(ann_file=str(path), data_prefix=dict(img=str(path.parent / 'images')))
    dataset = CocoDataset(**files, metainfo=dict(classes=('person',)))
    assert len(dataset) == 12
    boxes = sum(len(dataset.get_data_info(index)['instances']) for index in range(12))
    # MMDetection skips boxes of less than a pixel
    assert boxes == sum(min(person['bbox'][2:]) >= 1 for person in people)
    assert boxes >= len(people) - 2


@slow
def test_existing_shards_are_kept_and_other_settings_refused(shard):
    before = shard[0].stat().st_mtime_ns
    args = '--people', 8, '--bodies', 4, '--seed', 3
    done = render(shard[0].parent, *args)
    assert done.returncode == 0
    assert 'all 1 shards are in' in done.stdout
    assert shard[0].stat().st_mtime_ns == before
    # records of before an option was added
    record = shard[0].with_name('people_seed3.json')
    older = load_json(record)
    del older['behind'], older['groups']
    record.write_text(json.dumps(older))
    assert render(shard[0].parent, *args).returncode == 0
    done = render(shard[0].parent, *args, '--groups', 0.5)
    assert 'has shards with other groups (people_seed3.json)' in done.stderr
    done = render(shard[0].parent, *args, '--without-clips', 'S02/')
    assert done.returncode == 2
    assert 'has shards with other without_clips (people_seed3.json)' in done.stderr


@slow
def test_settings_without_shards_are_replaced(tmp_path):
    pytest.importorskip('anny')
    (tmp_path / 'people_seed3.json').write_text('{"people": 5000}')
    done = render(tmp_path, '--people', 1, '--bodies', 1, '--seed', 3)
    assert done.returncode == 0, done.stderr
    assert load_json(tmp_path / 'people_seed3.json')['people'] == 1


@slow
def test_shards_are_the_same_from_several_processes(shard, tmp_path):
    args = '--people', 8, '--bodies', 4, '--seed', 3, '--shards', 2, '--workers', 2
    done = render(tmp_path, *args)
    assert done.returncode == 0, done.stderr
    first, second = (
        read_packed_people(tmp_path / f'people_seed3_0{number}.npz')
        for number in range(2)
    )
    assert_array_equal(first.keypoints, read_packed_people(shard[0]).keypoints)
    assert not np.array_equal(first.keypoints, second.keypoints)


@slow
def test_people_and_camera_are_above_the_floor(scenes):
    sampler = scenes((96, 128))
    rng = np.random.default_rng(0)
    for shot in [sampler.crop(rng) for _ in range(20)]:
        if shot is None:
            continue
        body = shot.people[0].posed.vertices[sampler.model.skinned]
        assert_allclose(body[:, 2].min(), 0, atol=1e-5)
        assert shot.camera.eye[2] > 0.05
        # the crop is 1.35 times the box of the visible part
        pixels = shot.camera.project(body)
        low = np.maximum(pixels.min(0), shot.frame[:2])
        high = np.minimum(pixels.max(0), shot.frame[2:])
        assert_allclose((low + high) / 2, (48, 64), atol=1.5)
        assert_allclose(((high - low) / (96, 128)).max(), 1 / 1.35, atol=0.02)


@slow
def test_people_do_not_overlap(scenes):
    sampler = scenes((96, 96))
    rng = np.random.default_rng(0)
    distances = []
    for _ in range(30):
        shot = sampler.whole_image(rng)
        people = shot.people if shot else []
        positions = [person.posed.heads[0][:2] for person in people]
        distances += [
            np.linalg.norm(one - other) for one, other in combinations(positions, 2)
        ]
    assert len(distances) > 30
    assert (np.array(distances) > 0.35).mean() > 0.98


@slow
def test_backgrounds_have_the_horizon_of_the_camera(modules):
    # white above the horizon, black below
    panorama = np.ones((256, 512, 3), np.float32)
    panorama[128:] = 0
    rng = np.random.default_rng(0)
    for _ in range(20):
        pitch, roll = rng.uniform(-0.5, 0.3), rng.normal(0, 0.3)
        forward = np.array([0, np.cos(pitch), np.sin(pitch)])
        aside = np.array([1.0, 0, 0])
        upright = np.stack([aside, np.cross(forward, aside), forward])
        rotation = Rotation.from_euler('z', roll).as_matrix() @ upright
        intrinsics = np.array([300, 300, *rng.uniform(0, 400, 2)])
        camera = modules.renderer.Camera(intrinsics, rotation, np.zeros(3), (400, 400))
        sky = modules.backgrounds._render_panorama(camera, panorama, rng)[..., 0] > 0
        # directions at the horizon, in front of the camera
        azimuths = np.linspace(-0.4, 0.4, 9)
        level = np.stack([np.sin(azimuths), np.cos(azimuths), 0 * azimuths], -1)
        near = 0.04 * camera.rotation[:2] @ (0, 0, 1)
        for point in camera.project(10 * level):
            for side in (1, -1):
                x, y = (point + side * 300 * near) / 2
                if 0 <= x < 200 and 0 <= y < 200:
                    assert sky[int(y), int(x)] == (side > 0)


@slow
def test_fabrics_rotate_with_their_surface(modules):
    stripes = np.zeros((1, 64, 64, 3), np.uint8)
    stripes[:, :, ::8] = 255
    renderer = modules.renderer.Renderer((64, 64), stripes)
    up, dark, bright = np.array([0, 0, 1.0]), np.zeros(3), np.ones(3)
    light = modules.renderer.Light(up, dark, bright, bright)
    images = []
    for angle in (0, 37, 90):
        turn = Rotation.from_euler('z', angle, degrees=True).as_matrix()
        box = modules.props.place_box(
            np.zeros(3), turn, np.full(3, 0.5), fabric=0, tile=0.5, seed=(0.1, 0.2, 0)
        )
        looking = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]) @ turn.T
        camera = modules.renderer.Camera(
            np.array([60, 60, 32.0, 32]), looking, np.array([0, 0, 2.0]), (64, 64)
        )
        background = np.zeros((64, 64, 3), np.float32)
        scene = modules.renderer.Scene(light, background, [box])
        images.append(renderer(scene, camera, np.zeros(3), 2.0)[0])
    renderer.release()
    assert images[0].std() > 0.05
    for image in images[1:]:
        assert np.abs(image - images[0]).mean() < 0.01


@slow
@pytest.mark.parametrize('length', [1, 0])
def test_colors_of_vertices_are_rendered(modules, length):
    renderer = modules.renderer.Renderer((8, 8), np.zeros((1, 4, 4, 3), np.uint8))
    dark, bright = np.zeros(3), np.ones(3)
    light = modules.renderer.Light(np.array([0, 0, 1.0]), dark, bright, bright)
    color = np.array([0.5, 0.2, 0.1])
    box = modules.props.place_box(np.zeros(3), np.eye(3), np.full(3, 0.5), color=color)
    box = replace(box, normal=length * box.normal)
    down = np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]])
    camera = modules.renderer.Camera(
        np.array([8, 8, 4.0, 4]), down, np.array([0, 0, 2.0]), (8, 8)
    )
    background = np.zeros((8, 8, 3), np.float32)
    scene = modules.renderer.Scene(light, background, [box])
    image = renderer(scene, camera, np.zeros(3), 2.0)[0]
    renderer.release()
    assert_allclose(image[4, 4], color, rtol=0.01)


@slow
def test_excess_bending_of_knees_is_removed(modules):
    poses = modules.poses
    bent, turn = np.radians([20, 50, 90, 150]), np.radians(15)
    clip = np.zeros((4, 17, 3))
    h36m = get_skeleton('h36m-17')
    for side, x in (('left', 0.1), ('right', -0.1)):
        hip, knee = np.array([x, 0, 0.9]), np.array([x, 0, 0.5])
        shin = np.stack([0 * bent, np.sin(bent), -np.cos(bent)], -1)
        for joint, place in (('hip', hip), ('knee', knee), ('foot', knee + 0.4 * shin)):
            clip[:, h36m.index(f'{side}_{joint}')] = place
    # the straightest twentieth is 24.5 degrees, 5 of them actual bending
    assert np.degrees(poses.knee_excess(clip)) == pytest.approx(15, abs=1)
    # without standing people the usual value
    assert np.degrees(poses.knee_excess(clip[2:])) == pytest.approx(15)
    limbs = {'left_thigh': np.array([0, 0, -1.0]), 'left_shin': shin[0]}
    for row, wanted in ((0, 5), (1, 35)):
        limbs['left_shin'] = shin[row]
        leg = poses._straightened(limbs, 'left', turn)
        angle = np.degrees(np.arccos(leg['left_thigh'] @ leg['left_shin']))
        assert angle == pytest.approx(wanted, abs=0.1)
        # the direction from hip to foot stays
        before, after = (
            each['left_thigh'] + each['left_shin'] for each in (limbs, limbs | leg)
        )
        cosine = before @ after / np.linalg.norm(before) / np.linalg.norm(after)
        assert cosine == pytest.approx(1)


@slow
def test_only_outlines_are_blurred(modules):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (40, 40, 3), np.uint8)
    depth = np.full((40, 40), 3.0)
    depth[:, 20:] = 1e6
    blurred = modules.shards._blur_outlines(image, depth, rng)
    np.testing.assert_array_equal(blurred[:, :16], image[:, :16])
    np.testing.assert_array_equal(blurred[:, 24:], image[:, 24:])
    assert blurred[:, 18:22].std() < 0.7 * image[:, 18:22].std()
    assert abs(blurred[:, 18:22].mean() - image[:, 18:22].mean()) < 10


@slow
def test_labels_fit_the_images_in_other_framings(tmp_path):
    pytest.importorskip('anny')
    shares = ('--acrobatic', 0.5, '--tables', 0.3, '--close', 0.2, '--steep', 0.2)
    shares += ('--groups', 0.5, '--behind', 0.3)
    done = render(tmp_path, '--people', 16, '--bodies', 4, '--seed', 5, *shares)
    assert done.returncode == 0, done.stderr
    people = read_packed_people(tmp_path / 'people_seed5_00.npz')
    body = people.extras['cam3d'].astype(float)[:, :17]
    intrinsics = people.extras['K'].astype(float)[:, None]
    pixels = body[..., :2] / body[..., 2:] * intrinsics[..., :2] + intrinsics[..., 2:]
    visibility = people.visibility[:, :17]
    off = np.linalg.norm(pixels - people.keypoints[:, :17], axis=-1)
    assert np.percentile(off[visibility > 0], 95) < 0.2
    low, high = people.bboxes[:, None, :2], people.bboxes[:, None, 2:]
    inside = (people.keypoints > low - 4) & (people.keypoints < high + 4)
    assert inside.all(-1)[:, :17][visibility == 2].mean() > 0.97
    # some people are truncated, some are upside down
    assert (visibility == 0).any(1).sum() >= 3
    assert (body[:, 0, 1] > body[:, 11, 1]).any()


@slow
def test_close_whole_images_show_larger_people_and_objects(modules, scenes):
    sampler = scenes((96, 96))
    shares = modules.framing.FramingShares
    heights = {}
    for name, framings in (('far', shares()), ('close', shares(tables=0.4, close=0.6))):
        sampler.framings, rng, found = framings, np.random.default_rng(0), []
        for shot in filter(None, (sampler.whole_image(rng) for _ in range(40))):
            for person in shot.people[:1]:
                pixels = shot.camera.project(
                    person.posed.vertices[sampler.model.skinned]
                )
                found.append(np.ptp(pixels[:, 1]) / (shot.frame[3] - shot.frame[1]))
        heights[name] = np.median(found)
    assert heights['close'] > 2 * heights['far']
    rng, numbers = np.random.default_rng(1), {}
    for share in (0, 1):
        sampler.objects = share
        shots = filter(None, (sampler.whole_image(rng) for _ in range(20)))
        numbers[share] = np.mean([len(shot.scene.surfaces) for shot in shots])
    assert numbers[1] > numbers[0] + 3


@slow
def test_cut_out_backgrounds_are_sharper_than_views(modules):
    noise = np.random.default_rng(0).uniform(0, 2, (256, 512, 3)).astype(np.float32)
    rotation = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float)
    intrinsics = np.array((400.0, 400.0, 312.0, 312.0))
    camera = modules.renderer.Camera(intrinsics, rotation, np.zeros(3), (624, 624))
    details = {}
    for share in (0, 1):
        sampler = modules.backgrounds.BackgroundSampler([noise], share)
        steps = []
        for seed in range(8):
            rng = np.random.default_rng(seed)
            background, *_ = sampler(camera, rng)
            assert background.shape == (624, 624, 3)
            if background.std() > 0.05:  # no ramp
                steps.append(np.abs(np.diff(background, axis=1)).mean())
        details[share] = np.median(steps)
    assert details[1] > 1.5 * details[0]


def test_shares_of_more_than_one_get_one_line(tmp_path):
    args = ('--tables', '0.6', '--close', '0.5')
    message = 'the sum of --tables, --close and --steep must be at most 1, got 1.1'
    assert_refused(tmp_path / 'out', args, message)
