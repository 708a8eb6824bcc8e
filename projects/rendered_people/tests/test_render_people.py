"""Bodies, poses, images and labels of the renderer, if its packages are installed."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import mmhot.plugin  # noqa: F401 registers
from mmhot import get_skeleton
from projects.rendered_people.coco_people import pack_coco
from projects.rendered_people.packed_people import read_packed_people
from projects.rendered_people.training.dataset import RenderedPeopleDataset

ROOT = Path(__file__).parents[3]
TOOL = 'projects.rendered_people.render'
MOTIONS = ROOT / 'tests/data/cmu_mocap/cmu_h36m17.npz'
COCO = get_skeleton('coco-wholebody-133')
slow = pytest.mark.slow(reason='renders with anny and OpenGL')


def render(target, *args, motions=MOTIONS):
    command = [sys.executable, '-m', TOOL, target, '--motions', motions, *args]
    command = list(map(str, command))
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


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
        contents.append(json.loads(path.read_text()))
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
    older = json.loads(record.read_text())
    del older['behind'], older['groups']
    record.write_text(json.dumps(older))
    assert render(shard[0].parent, *args).returncode == 0
    done = render(shard[0].parent, *args, '--groups', 0.5)
    assert 'has shards with other groups (people_seed3.json)' in done.stderr
    done = render(shard[0].parent, *args, '--without-clips', 'S02/')
    assert done.returncode == 1
    assert 'has shards with other without_clips (people_seed3.json)' in done.stderr


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
