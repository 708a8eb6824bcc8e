"""Locked toes and heels: rest, push-off, constant lengths, rigs, seams."""

from dataclasses import replace

import numpy as np
import pytest
from feet import (
    add_noise,
    compare,
    keypoints_of_feet,
    points_of,
    simulate_feet,
    slow_errors,
)
from rendered_clips import DATA, rendered

from mmhot.chain.poses.contacts import ANKLES
from mmhot.chain.poses.extremities import AddJoints
from mmhot.chain.poses.foot_lock import LockFeet
from mmhot.chain.poses.toe_lock import hold_foot
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.lens import Lens
from tools.analysis.motions import GroundTruth
from tools.motion_quality import find_contacts

WALK = DATA.parents[1] / 'demo/walk.npz'


@pytest.fixture(scope='module')
def walk():
    """A walk with noisy joints and 2D feet: clip, true points, contacts of both."""
    clip, truth = rendered('walk'), GroundTruth.read(WALK)
    with np.load(WALK) as arrays:
        world = arrays['h36m_world3d'].astype(np.float64)
        rotation, center = arrays['R_world_to_cam'], arrays['cam_center']
        intrinsics = arrays['K']
    feet = simulate_feet(world, clip.fps)
    points = (feet - center) @ rotation.T
    focal = intrinsics[0, 0]
    pixels = points[..., :2] / points[..., 2:] * focal + intrinsics[:2, 2]
    rng = np.random.default_rng(0)
    pixels = add_noise(pixels, np.ptp(truth.pixels[..., 1], axis=1), rng)
    errors = slow_errors(rng, 0.03, len(clip))
    errors[:, 0] = 0
    clip = replace(
        clip,
        keypoints_3d=(truth.poses + errors[:, :17]).astype(np.float32),
        root_3d=(truth.root + errors[:, 17]).astype(np.float32),
        lens=Lens.pinhole(float(focal), clip.width, clip.height),
        model='a lifter',
    )
    size = Clip2D('walk', 'h36m-17', [], clip.width, clip.height, clip.fps)
    clip = AddJoints().extend(clip, keypoints_of_feet(pixels, size))
    ankles = (truth.poses + truth.root[:, None])[:, ANKLES]
    rests = find_contacts(feet[:, :2], clip.fps)
    return clip, np.concatenate([ankles, points], 1), truth.contacts, rests


@pytest.fixture(scope='module')
def locked(walk):
    clip, _, stands, _ = walk
    return LockFeet(contacts=lambda *_: stands.astype(float)).lock(clip)


def test_locked_toes_slide_no_more_than_true_ones(walk, locked):
    clip, true, stands, rests = walk
    before, after, real = (
        compare(places, true, stands, rests)
        for places in (points_of(clip), points_of(locked), true)
    )
    for part in (1, 2, 3):  # toe, toe at rest and heel
        assert after[part] < 1.5 * real[part]
        assert after[part] < 0.4 * before[part]
    for part in (4, 5):  # errors of toe and heel
        assert after[part] < before[part] + 0.1
    assert after[6] < before[6]  # jitter


def test_locked_feet_are_rigid(locked):
    points = points_of(locked)
    for side in range(2):
        for first, second in ((0, 2), (0, 4), (2, 4)):
            lines = points[:, first + side] - points[:, second + side]
            assert np.ptp(np.linalg.norm(lines, axis=-1)) < 1e-5


def test_locked_toes_stay_near_their_2d_points(walk, locked):
    clip, true, *_ = walk

    def errors(places):
        pixels, target = (x[:, 2:, :2] / x[:, 2:, 2:] for x in (places, true))
        return clip.focal_length * np.linalg.norm(pixels - target, axis=-1).mean()

    assert errors(points_of(locked)) < errors(points_of(clip)) + 0.5


def test_feet_without_contacts_keep_their_direction(walk):
    clip, *_ = walk
    points = points_of(clip)[:, [0, 2, 4]]
    seconds = np.arange(len(points)) / clip.fps
    held = hold_foot(points, np.zeros(len(points)), seconds)
    assert np.linalg.norm(held - points[:, 1:], axis=-1).mean() < 0.01
    points[:, 1:] = points[:, :1]
    np.testing.assert_allclose(
        hold_foot(points, np.ones(len(points)), seconds), points[:, 1:], atol=1e-6
    )
