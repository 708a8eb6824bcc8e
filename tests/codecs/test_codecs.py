"""Codecs: the published units, and the canonical framing's promises."""

import mocap
import numpy as np
import pytest
from mmpose.registry import KEYPOINT_CODECS

from mmhot.codecs.person_centered_pose_lifting import frame_person, look_at_rotation
from mmhot.datasets.transforms.virtual_camera import place_on_floor, project
from mmhot.lens import camera_intrinsics

CODECS = ('CameraPoseLifting', 'PersonCenteredPoseLifting')
SIZE = dict(w=1000, h=1000)


def build(name, **settings):
    return KEYPOINT_CODECS.build(dict(type=name, **settings))


def seen(turn=None, **intrinsics):
    """Pixels and camera-axes joints of a person; the camera may be turned."""
    joints = mocap.joints_of()
    camera = mocap.CAMERAS[0] | intrinsics
    if turn is not None:
        camera['R'] = camera['R'] @ turn.astype(np.float32)
    pixels, in_camera = project(joints + place_on_floor(joints), camera)
    return pixels, in_camera, {key: camera[key] for key in ('w', 'h', 'f', 'c')}


def encode(name, turn=None, **intrinsics):
    pixels, in_camera, camera = seen(turn, **intrinsics)
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
    _, in_camera, _ = seen()
    keypoints, scores = decode(name, encode(name))
    # float32 at a distance of five meters
    np.testing.assert_allclose(keypoints, in_camera[39:42], atol=2e-6)
    assert scores.shape == (3, 17)
    assert (scores == 1).all()


@pytest.mark.parametrize('name', CODECS)
def test_root_is_zero_where_its_place_is_unknown(name):
    encoded = encode(name)
    encoded['lifting_target_label'] += 0.5  # the network's root is free
    del encoded['target_root']
    keypoints, _ = decode(name, encoded)
    assert (keypoints[:, 0] == 0).all()


@pytest.mark.parametrize('name', CODECS)
def test_encoding_and_decoding_leave_their_arguments(name):
    pixels, in_camera, camera = seen()
    before = pixels.copy(), in_camera.copy()
    encoded = build(name).encode(pixels, None, in_camera, None, camera)
    label = encoded['lifting_target_label'].copy()
    decode(name, encoded)
    np.testing.assert_array_equal(pixels, before[0])
    np.testing.assert_array_equal(in_camera, before[1])
    np.testing.assert_array_equal(encoded['lifting_target_label'], label)


@pytest.mark.parametrize('name', CODECS)
def test_invisible_targets_weigh_nothing(name):
    pixels, in_camera, camera = seen()
    visible = np.ones((81, 17, 1), np.float32)
    visible[3] = 0
    encoded = build(name).encode(pixels, None, in_camera, visible, camera)
    assert encoded['lifting_target_weight'].shape == (81, 17)
    assert (
        encoded['lifting_target_weight'].sum(1).tolist() == [17] * 3 + [0] + [17] * 77
    )


@pytest.mark.parametrize('name', CODECS)
def test_many_windows_at_once_are_encoded_like_one(name):
    pixels, _, camera = seen()
    windows = np.stack([pixels[:27], pixels[20:47], pixels[54:]])
    together = build(name).encode(windows, camera_param=camera)
    for index, keypoints in enumerate(windows):
        alone = build(name).encode(keypoints, camera_param=camera)
        for key, value in alone.items():
            np.testing.assert_allclose(together[key][index], value, atol=1e-6)


@pytest.mark.parametrize('name', CODECS)
@pytest.mark.parametrize('camera', [None, {}, dict(w=1000)])
def test_unknown_picture_size_is_an_error(name, camera):
    with pytest.raises(ValueError, match="needs the picture size: .* 'w' and 'h'"):
        build(name).encode(np.zeros((9, 17, 2), np.float32), camera_param=camera)


@pytest.mark.parametrize('name', CODECS)
def test_other_skeletons_are_an_error(name):
    with pytest.raises(ValueError, match='is for 17 keypoints, got 13'):
        build(name).encode(np.zeros((9, 13, 2), np.float32), camera_param=SIZE)


def test_decoding_without_the_rotation_is_an_error():
    with pytest.raises(ValueError, match="add 'framing' to PackPoseInputs"):
        build('PersonCenteredPoseLifting').decode(np.zeros((1, 17, 3)))


@pytest.mark.parametrize(
    'intrinsics',
    [
        dict(f=np.float32([687, 687])),
        dict(f=np.float32([2290, 2290])),
        dict(c=np.float32([200, 800])),
        dict(f=np.float32([1145, 900]), c=np.float32([500, 400])),
    ],
)
def test_framing_does_not_see_the_lens(intrinsics):
    plain = encode('PersonCenteredPoseLifting')
    other = encode('PersonCenteredPoseLifting', **intrinsics)
    for key in ('keypoint_labels', 'lifting_target_label'):
        np.testing.assert_allclose(other[key], plain[key], atol=3e-6)


# both at once would roll the picture by their product, as in any tilted camera
@pytest.mark.parametrize(('yaw', 'pitch'), [(0.35, 0), (-0.3, 0), (0, 0.2), (0, -0.2)])
def test_framing_hardly_sees_where_the_camera_points(yaw, pitch):
    turn = look_at_rotation(np.array([np.tan(yaw), np.tan(pitch), 1]))
    plain = encode('PersonCenteredPoseLifting')
    turned = encode('PersonCenteredPoseLifting', turn)
    moved = np.abs(seen(turn)[0] - seen()[0]).mean()
    assert moved > 100  # pixels
    # the mean of pixels is not quite that of directions; a person's size is 0.5
    for key in ('keypoint_labels', 'lifting_target_label'):
        np.testing.assert_allclose(turned[key], plain[key], atol=0.02)


def test_framing_shows_the_person_in_the_middle_at_the_wanted_size():
    pixels, _, camera = seen()
    framed, _ = frame_person(pixels, camera['f'], camera['c'], size=0.7)
    np.testing.assert_allclose(framed[36:45].mean((0, 1)), 0, atol=0.01)
    away = np.linalg.norm(framed - framed.mean(1, keepdims=True), axis=-1)
    np.testing.assert_allclose(away.mean(), 0.7, rtol=1e-5)


def test_framed_pixels_are_the_turned_joints_seen_by_the_virtual_camera():
    pixels, in_camera, camera = seen()
    framed, rotation = frame_person(pixels, camera['f'], camera['c'])
    turned = in_camera @ rotation
    projected = turned[..., :2] / turned[..., 2:]
    zoom = framed / projected
    np.testing.assert_allclose(zoom, np.median(zoom), rtol=1e-2)


def test_framing_of_one_point_is_finite():
    codec = build('PersonCenteredPoseLifting')
    same = np.full((9, 17, 2), 500, np.float32)
    encoded = codec.encode(same, camera_param=SIZE)
    assert np.isfinite(encoded['keypoint_labels']).all()


def test_virtual_camera_points_at_the_direction_without_rolling():
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


def test_unknown_lens_is_assumed_from_the_longer_side():
    for size in ((1280, 720), (720, 1280)):
        focal, center = camera_intrinsics(dict(w=size[0], h=size[1]))
        np.testing.assert_allclose(focal, 1.145 * 1280)
        np.testing.assert_allclose(center, np.array(size) / 2)


def test_resolution_does_not_matter():
    pixels, _, _ = seen()
    codec = build('PersonCenteredPoseLifting')
    small = codec.encode(pixels, camera_param=dict(w=1000, h=800))
    large = codec.encode(pixels * 3, camera_param=dict(w=3000, h=2400))
    np.testing.assert_allclose(
        large['keypoint_labels'], small['keypoint_labels'], atol=2e-6
    )
