"""Virtual cameras: placement, projection, and the targets of lifting."""

import mocap
import numpy as np
import pytest
from mmpose.codecs.utils import camera_to_pixel
from mmpose.registry import KEYPOINT_CODECS, TRANSFORMS

from mmhot.datasets.transforms.virtual_camera import (
    ProjectToRandomCamera,
    ProjectToVirtualCamera,
    floor_offset,
    look_at_camera,
    project,
)

H36M = mocap.H36M


@pytest.mark.parametrize('camera', mocap.CAMERAS, ids=lambda camera: camera['name'])
def test_look_at_camera_equals_the_published_cameras(camera):
    rotation = look_at_camera(camera['T'], np.array([0, 0, 0.95]), 0.0)
    np.testing.assert_allclose(rotation, camera['R'], atol=1e-6)


def test_projection_equals_mmposes():
    joints = mocap.joints_of() + floor_offset(mocap.joints_of())
    camera = mocap.CAMERAS[2]
    pixels, in_camera = project(joints, camera)
    expected = camera_to_pixel(in_camera, *camera['f'], *camera['c'], shift=True)
    np.testing.assert_allclose(pixels, expected[..., :2], atol=1e-3)
    world = in_camera @ camera['R'].T + camera['T']
    np.testing.assert_allclose(world, joints, atol=2e-6)


def test_person_is_upright_and_not_mirrored_in_the_image():
    camera = dict(T=np.float32([0, -5, 1]), f=np.float32([1000, 1000]))
    camera.update(c=np.float32([500, 500]))
    camera['R'] = look_at_camera(camera['T'], np.array([0, 0, 1]), 0.0)
    pixels, in_camera = project(mocap.standing_pose(), camera)
    at = {name: pixels[0, H36M.index(name)] for name in H36M.joints}
    # the person faces the camera: their left is on the right of the image
    assert at['left_hip'][0] > 500 > at['right_hip'][0]
    assert at['head'][1] < at['root'][1] < at['left_foot'][1]
    np.testing.assert_allclose(at['left_hip'], [500 + 1000 * 0.1 / 5, 520], atol=1e-3)
    assert in_camera[0, H36M.index('neck_base'), 2] < 5  # the nose is nearer


@pytest.mark.parametrize('num_frames', [1, 2, 27, 81, 150])
def test_windows_are_placed_on_the_floor(num_frames):
    joints = mocap.joints_of(mocap.KICK, num_frames)
    offset = floor_offset(joints)
    ankles = joints[:, H36M.indices(['left_foot', 'right_foot']), 2]
    np.testing.assert_allclose(offset[2], 0.08 - np.quantile(ankles, 0.02), atol=1e-6)
    root = (joints + offset)[num_frames // 2, 0]
    np.testing.assert_allclose(root[:2], 0, atol=1e-6)


def test_observed_joints_change_pixels_only():
    plain = ProjectToVirtualCamera().transform(
        mocap.window(camera_param=mocap.CAMERAS[1])
    )
    observed = mocap.joints_of() + np.float32([0, 0, 0.1])
    sample = mocap.window(camera_param=mocap.CAMERAS[1], observed_world=observed)
    sample = ProjectToVirtualCamera().transform(sample)
    np.testing.assert_array_equal(sample['lifting_target'], plain['lifting_target'])
    up = plain['keypoints'][..., 1] - sample['keypoints'][..., 1]
    assert np.all((up > 15) & (up < 30))  # 10 cm, seen from 5 m


def test_random_cameras_stay_within_their_ranges():
    joints = mocap.standing_pose().repeat(9, 0)
    transform = ProjectToRandomCamera(radius=(3, 6), height=(1.2, 1.8))
    cameras = [transform.choose_camera({}, joints) for _ in range(200)]
    places = np.array([camera['T'] for camera in cameras])
    radius = np.linalg.norm(places[:, :2], axis=1)
    for values, low, high in (
        (radius, 3, 6),
        (places[:, 2], 1.2, 1.8),
        (np.array([camera['f'][0] for camera in cameras]), 1030, 1260),
    ):
        assert low - 1e-3 <= values.min() < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < values.max() <= high + 1e-3
    angles = np.arctan2(places[:, 1], places[:, 0])
    assert np.all(np.histogram(angles, 4, (-np.pi, np.pi))[0] > 30)  # all around
    pixels = [project(joints[4, :1], camera)[0] for camera in cameras]
    np.testing.assert_allclose(pixels, np.full((200, 1, 2), 500), atol=0.01)


def test_random_cameras_have_the_person_in_front():
    joints = mocap.joints_of(mocap.KICK, 150).copy()
    joints[..., 1] *= 4  # runs 12 meters
    transform = ProjectToRandomCamera(radius=(2.5, 3))
    for _ in range(100):
        sample = transform.transform(mocap.window(joints))
        camera = transform.choose_camera({}, joints + floor_offset(joints))
        assert project(joints + floor_offset(joints), camera)[1][..., 2].min() > 0.99
        assert np.isfinite(sample['keypoints']).all()


@pytest.mark.parametrize('codec', ['CameraPoseLifting', 'PersonCenteredPoseLifting'])
def test_mirrored_labels_are_the_mirrored_world_projected(codec):
    codec = KEYPOINT_CODECS.build(dict(type=codec))
    camera = mocap.CAMERAS[3] | dict(c=np.float32([500, 500]))
    joints = mocap.joints_of()
    pixels, in_camera = project(joints + floor_offset(joints), camera)
    mirrored = in_camera[:, H36M.flip_indices] * np.float32([-1, 1, 1])
    mirrored_pixels = mirrored[..., :2] / mirrored[..., 2:] * camera['f'] + camera['c']

    def encode(pixels, in_camera):
        return codec.encode(pixels, None, in_camera[39:42], None, camera)

    around_zero = dict(center_mode='static', center_x=0.0)
    flip = dict(type='RandomFlipAroundRoot', flip_prob=1.0, flip_label=True)
    flip.update(keypoints_flip_cfg=around_zero, target_flip_cfg=around_zero)
    sample = mocap.window(camera_param=camera) | encode(pixels, in_camera)
    flipped = TRANSFORMS.build(flip)(sample)
    expected = encode(mirrored_pixels, mirrored)
    for key in ('keypoint_labels', 'lifting_target_label'):
        np.testing.assert_allclose(flipped[key], expected[key], atol=2e-6)
