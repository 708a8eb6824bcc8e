"""Foot lock of streams: feet rest, corrections fade, nothing jumps."""

import numpy as np
import pytest
from rendered_clips import rendered

from mmhot.evaluation.motion_quality import find_contacts
from mmhot.lifting.world import place_people
from mmhot.motion.contacts import ANKLES
from mmhot.motion.live_foot_lock import LiveFootLock

FPS = 25.0


def stream(pose, root, stands):
    """Lock a sequence frame by frame; returns joints in camera axes."""
    lock = LiveFootLock()
    frames = zip(pose, root, stands, np.arange(len(root)) / FPS, strict=True)
    done = [lock(*frame) for frame in frames]
    return np.stack([new + at for new, at in done])


def standing(count=100, drift=0.1):
    """A person who stands but drifts away from the camera, m/s."""
    pose = rendered('dance').keypoints_3d[:1].repeat(count, 0)
    away = np.arange(count) / FPS * drift
    return pose, np.array([0.0, 0.0, 4.0]) + away[:, None] * (0, 0, 1)


def test_standing_feet_slide_less_than_a_fifth():
    pose, root = standing()
    joints = stream(pose, root, np.ones((100, 2)))
    speeds = np.linalg.norm(np.diff(joints[:, ANKLES], axis=0), axis=-1) * FPS
    assert speeds.max() < 0.1
    assert speeds[:25].mean() < 0.02
    still = stream(pose, root, np.zeros((100, 2)))
    np.testing.assert_allclose(still, pose + root[:, None], atol=1e-6)


def test_corrections_fade_smoothly_after_a_contact():
    pose, root = standing()
    stands = np.ones((100, 2))
    stands[50:] = 0
    joints, lifted = stream(pose, root, stands), pose + root[:, None]
    errors = np.linalg.norm(joints - lifted, axis=-1).max(1)
    assert errors[63] < 0.5 * errors[50]
    assert errors[-1] < 0.2 * errors[50]
    # no frame jumps by more than half of a percent of the distance
    assert np.abs(np.diff(joints, axis=0)).max() < 0.02


def test_ankles_that_are_far_away_are_released():
    pose, root = standing()
    root[50:, 0] += 1.0
    joints = stream(pose, root, np.ones((100, 2)))
    moved = joints[-1, ANKLES, 0] - joints[49, ANKLES, 0]
    np.testing.assert_allclose(moved, 1.0, atol=0.1)


def test_unknown_positions_are_left_alone():
    pose, root = standing()
    root[:] = np.nan
    lock = LiveFootLock()
    new, at = lock(pose[0], root[0], np.ones(2), 0.0)
    np.testing.assert_array_equal(new, pose[0])
    assert np.isnan(at).all()


@pytest.mark.parametrize('name', ['walk', 'dance'])
def test_noisy_roots_of_rendered_people_slide_less(name):
    truth = rendered(name)
    clip = place_people(truth)
    world = clip.places()[:, ANKLES][..., [0, 2, 1]] * (1, 1, -1)
    stands = find_contacts(world.astype(np.float64), FPS)
    rng = np.random.default_rng(0)
    sway = np.cumsum(rng.normal(0, 0.01, (len(clip), 3)) * (0.3, 0.3, 1), axis=0)
    root = clip.root_3d + sway - sway.mean(0)
    both = stands[1:] & stands[:-1]

    def slide(joints):
        steps = np.linalg.norm(np.diff(joints[:, ANKLES], axis=0), axis=-1)
        return FPS * steps[both].mean()

    before = clip.keypoints_3d + root[:, None]
    after = stream(clip.keypoints_3d, root, stands.astype(float))
    assert slide(after) < 0.5 * slide(before)
