"""Losses on pose sequences, and the image space of MotionBERT."""

import numpy as np
import official_weights
import pytest
import torch
from mmpose.codecs.utils import camera_to_image_coord

from mmhot.codecs.lifting_codecs import ImageSpacePoseLifting
from mmhot.models.lifters.losses import PoseSequenceLoss

# MixSTE's weights of Human3.6M's joints
JOINTS = [1, 1, 2.5, 2.5, 1, 2.5, 2.5, 1, 1, 1, 1.5, 1.5, 4, 4, 1.5, 4, 4]


def fixed_poses():
    """Poses whose published losses are known."""
    output, target = (
        torch.from_numpy(official_weights.fill(f'input__{key}', (2, 9, 17, 3)))
        for key in 'pq'
    )
    target[:, :, 0] = 0
    return output, target


@pytest.mark.parametrize(
    ('settings', 'published'),
    [
        ({}, 0.1034684),
        (dict(joint_weights=JOINTS), 0.2248094),
        (dict(joint_weights=JOINTS, smooth_weight=1.0), 0.2248094 + 0.0092252),
        (dict(velocity_weight=1.0), 0.1034684 + 0.1489199),
        (dict(joint_weights=JOINTS, velocity_weight=2.0, smooth_weight=0.5), 0.5272617),
        (dict(scale_weight=1.0), 0.1034684 + 0.0718851),
        (dict(scale_weight=0.5, velocity_weight=20.0), 3.1178083),
    ],
)
def test_losses_equal_the_published_ones(settings, published):
    loss = PoseSequenceLoss(**settings)(*fixed_poses())
    torch.testing.assert_close(loss.item(), published, rtol=0, atol=2e-7)


def test_reflected_poses_do_not_fit_with_a_least_scale():
    _, target = fixed_poses()
    published = PoseSequenceLoss(scale_weight=1.0)
    loss = PoseSequenceLoss(scale_weight=1.0, min_scale=0.0)
    output = (-0.1 * target).requires_grad_()
    distance = target.norm(dim=-1).mean()
    torch.testing.assert_close(published(output, target), 1.1 * distance)
    torch.testing.assert_close(loss(output, target), 2.1 * distance)
    (gradient,) = torch.autograd.grad(loss(output, target), output)
    (of_mpjpe,) = torch.autograd.grad(PoseSequenceLoss()(output, target), output)
    torch.testing.assert_close(gradient, of_mpjpe)
    torch.testing.assert_close(
        loss(0.1 * target, target), published(0.1 * target, target)
    )


def test_unknown_poses_and_their_velocities_do_not_count():
    loss = PoseSequenceLoss(
        joint_weights=JOINTS, scale_weight=0.5, velocity_weight=2.0, smooth_weight=0.5
    )
    output, target = fixed_poses()
    weight = torch.ones(2, 9, 17, 1)
    weight[:, :2] = weight[:, -1:] = 0
    shorter = loss(output[:, 2:-1], target[:, 2:-1])
    torch.testing.assert_close(loss(output, target, weight), shorter)


def test_a_single_frame_has_no_velocity():
    loss = PoseSequenceLoss(velocity_weight=2.0, smooth_weight=0.5)
    output, target = (poses[:, :1] for poses in fixed_poses())
    torch.testing.assert_close(
        loss(output, target), (output - target).norm(dim=-1).mean()
    )


CAMERA = dict(w=1000, h=1002, f=np.array([1145.0, 1144.0]), c=np.array([512.0, 515.0]))


def random_target(num_frames=5):
    rng = np.random.default_rng(0)
    target = rng.normal(0, 0.3, (num_frames, 17, 3)) + [0.2, 0.1, 4.5]
    return target.astype(np.float32)


def test_image_space_equals_mmposes():
    target = random_target()
    codec = ImageSpacePoseLifting()
    pixels = np.full((5, 17, 2), 500.0, np.float32)
    encoded = codec.encode(pixels, None, target, None, CAMERA)
    image, factor = camera_to_image_coord(0, target, CAMERA)
    wanted = 1000 * (image - image[:, :1]) / 500  # from thousands of pixels
    label = encoded['lifting_target_label']
    np.testing.assert_allclose(label[..., :2], wanted[..., :2], atol=1e-5)
    # where a meter has 250 pixels, MMPose adds half of one
    np.testing.assert_allclose(label[..., 2], wanted[..., 2], rtol=3e-3)
    np.testing.assert_allclose(encoded['unit_size'][:, 0], factor / 2, rtol=3e-3)
    assert encoded['keypoint_labels'].shape == (5, 17, 3)
    assert (encoded['keypoint_labels'][..., 2] == 1).all()


def test_image_space_decodes_to_meters_where_the_camera_is_known():
    codec, target = ImageSpacePoseLifting(), random_target()
    pixels = np.zeros((5, 17, 2), np.float32)
    encoded = codec.encode(pixels, np.full((5, 17), 0.5), target, None, CAMERA)
    assert (encoded['keypoint_labels'][..., 2] == 0.5).all()
    label = encoded['lifting_target_label']
    decoded, _ = codec.decode(label, unit_size=encoded['unit_size'])
    np.testing.assert_allclose(decoded, encoded['lifting_target'], atol=1e-6)
    # depths are meters, independent of the perspective
    depth = target[..., 2] - target[:, :1, 2]
    np.testing.assert_allclose(decoded[..., 2], depth, atol=1e-5)
    guessed, _ = codec.decode(label)
    np.testing.assert_allclose(guessed, 2 * label, atol=1e-6)
