"""Codecs of lifting: published units, and invariances of person-centered encoding."""

import mocap
import numpy as np
import pytest
from mmpose.registry import KEYPOINT_CODECS

from mmhot.codecs.pose_lifting import look_at_rotation
from mmhot.datasets.transforms.virtual_camera import floor_offset, project

CODECS = ('CameraPoseLifting', 'PersonCenteredPoseLifting')


def build(name, **settings):
    return KEYPOINT_CODECS.build(dict(type=name, **settings))


def project_person(rotation=None, **intrinsics):
    """Pixels, camera-axes joints and camera of a person; the camera may be rotated."""
    joints = mocap.joints_of()
    camera = mocap.CAMERAS[0] | intrinsics
    if rotation is not None:
        camera['R'] = camera['R'] @ rotation.astype(np.float32)
    pixels, in_camera = project(joints + floor_offset(joints), camera)
    return pixels, in_camera, {key: camera[key] for key in ('w', 'h', 'f', 'c')}


def encode(name, rotation=None, **intrinsics):
    pixels, in_camera, camera = project_person(rotation, **intrinsics)
    return build(name).encode(pixels, None, in_camera[39:42], None, camera)


def decode(name, encoded):
    codec = build(name)
    known = {key: encoded[key] for key in codec.auxiliary_decode_keys if key in encoded}
    return codec.decode(encoded['lifting_target_label'], **known)


def test_pixels_are_divided_by_the_width():
    corners = np.array([[0, 0], [1280, 720], [640, 360], [1280, 0]], np.float32)
    codec = build('CameraPoseLifting', num_keypoints=4)
    labels = codec.encode(corners[None], camera_param=dict(w=1280, h=720))
    expected = [[-1, -0.5625], [1, 0.5625], [0, 0], [1, -0.5625]]
    np.testing.assert_allclose(labels['keypoint_labels'][0], expected, atol=1e-7)


@pytest.mark.parametrize('name', CODECS)
def test_decoding_undoes_encoding(name):
    _, in_camera, _ = project_person()
    keypoints, scores = decode(name, encode(name))
    # float32 at a distance of five meters
    np.testing.assert_allclose(keypoints, in_camera[39:42], atol=2e-6)
    assert scores.shape == (3, 17)
    assert (scores == 1).all()


@pytest.mark.parametrize('name', CODECS)
def test_root_is_zero_if_its_position_is_unknown(name):
    encoded = encode(name)
    encoded['lifting_target_label'] += 0.5  # the network's root is free
    del encoded['target_root']
    keypoints, _ = decode(name, encoded)
    assert (keypoints[:, 0] == 0).all()


@pytest.mark.parametrize('name', CODECS)
def test_invisible_targets_have_weight_zero(name):
    pixels, in_camera, camera = project_person()
    visible = np.ones((81, 17, 1), np.float32)
    visible[3] = 0
    encoded = build(name).encode(pixels, None, in_camera, visible, camera)
    assert encoded['lifting_target_weight'].shape == (81, 17)
    assert (
        encoded['lifting_target_weight'].sum(1).tolist() == [17] * 3 + [0] + [17] * 77
    )


@pytest.mark.parametrize('name', CODECS)
def test_batched_windows_are_encoded_as_single_ones(name):
    pixels, _, camera = project_person()
    windows = np.stack([pixels[:27], pixels[20:47], pixels[54:]])
    together = build(name).encode(windows, camera_param=camera)
    for index, keypoints in enumerate(windows):
        alone = build(name).encode(keypoints, camera_param=camera)
        for key, value in alone.items():
            np.testing.assert_allclose(together[key][index], value, atol=1e-6)


@pytest.mark.parametrize('name', CODECS)
@pytest.mark.parametrize('camera', [None, {}, dict(w=1000)])
def test_unknown_image_size_is_an_error(name, camera):
    with pytest.raises(ValueError, match="needs the image size: .* 'w' and 'h'"):
        build(name).encode(np.zeros((9, 17, 2), np.float32), camera_param=camera)


@pytest.mark.parametrize(
    'intrinsics',
    [
        dict(f=np.float32([687, 687])),
        dict(f=np.float32([2290, 2290])),
        dict(c=np.float32([200, 800])),
        dict(f=np.float32([1145, 900]), c=np.float32([500, 400])),
    ],
)
def test_person_centered_encoding_does_not_depend_on_intrinsics(intrinsics):
    plain = encode('PersonCenteredPoseLifting')
    other = encode('PersonCenteredPoseLifting', **intrinsics)
    for key in ('keypoint_labels', 'lifting_target_label'):
        np.testing.assert_allclose(other[key], plain[key], atol=3e-6)


# both at once would roll the image by their product, as in any tilted camera
@pytest.mark.parametrize(('yaw', 'pitch'), [(0.35, 0), (-0.3, 0), (0, 0.2), (0, -0.2)])
def test_person_centered_encoding_hardly_depends_on_camera_rotation(yaw, pitch):
    rotation = look_at_rotation(np.array([np.tan(yaw), np.tan(pitch), 1]))
    plain = encode('PersonCenteredPoseLifting')
    rotated = encode('PersonCenteredPoseLifting', rotation)
    moved = np.abs(project_person(rotation)[0] - project_person()[0]).mean()
    assert moved > 100  # pixels
    # the mean of pixels is not quite that of directions; a person's size is 0.5
    for key in ('keypoint_labels', 'lifting_target_label'):
        np.testing.assert_allclose(rotated[key], plain[key], atol=0.02)


def test_virtual_camera_points_at_the_direction_without_roll():
    directions = np.random.default_rng(0).normal(size=(50, 3))
    directions[:, 2] = np.abs(directions[:, 2]) + 0.1
    rotation = look_at_rotation(directions)
    away = directions / np.linalg.norm(directions, axis=-1, keepdims=True)
    np.testing.assert_allclose(rotation[..., 2], away, atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(rotation), 1, atol=1e-12)
    identity = np.swapaxes(rotation, -1, -2) @ rotation
    np.testing.assert_allclose(
        identity, np.broadcast_to(np.eye(3), (50, 3, 3)), atol=1e-12
    )
    assert (rotation[:, 1, 0] == 0).all()  # what is level stays level
