"""Root positions from 2D and 3D poses."""

import tracemalloc

import numpy as np
import pytest
from mocap import CAMERAS, KICK, joints_of

from mmhot.chain.lifting.placement import place_roots

CAMERA = CAMERAS[0]


def kick(num_frames=120):
    """Return root-relative poses, pixels and root positions, in camera axes."""
    joints = joints_of(KICK, num_frames).astype(np.float64)
    joints = joints - joints[:, :1].mean(0) + [0, 0, 0.9]
    joints = (joints - CAMERA['T']) @ CAMERA['R']
    pixels = CAMERA['f'] * joints[..., :2] / joints[..., 2:] + CAMERA['c']
    return joints - joints[:, :1], pixels, joints[:, 0]


def place(poses, pixels, scores=None, seconds=None):
    scores = np.ones(pixels.shape[:2]) if scores is None else scores
    seconds = np.arange(len(poses)) / 50 if seconds is None else seconds
    return place_roots(poses, pixels, scores, CAMERA['f'], CAMERA['c'], seconds)


@pytest.mark.parametrize('num_frames', [1, 2])
def test_single_frames_are_placed_exactly(num_frames):
    poses, pixels, root = kick(num_frames)
    np.testing.assert_allclose(place(poses, pixels), root, atol=1e-4)


def test_noisy_pixels_make_no_jumps():
    poses, pixels, root = kick()
    noise = np.random.default_rng(0).normal(0, 5, pixels.shape)
    placed = place(poses, pixels + noise)
    assert np.linalg.norm(placed - root, axis=-1).mean() < 0.06
    bends = np.linalg.norm(np.diff(placed, 2, axis=0), axis=-1) * 50**2
    assert bends.mean() < 5


def test_missing_and_wrong_joints_have_little_effect():
    poses, pixels, root = kick()
    pixels[::3, 5] = np.nan
    pixels[:, 13] += 200
    scores = np.ones(pixels.shape[:2])
    scores[::5] = 0
    assert np.linalg.norm(place(poses, pixels, scores) - root, axis=-1).mean() < 0.1


def test_long_tracks_need_little_memory():
    poses, pixels, root = kick()
    order = np.resize(np.r_[:120, 120:0:-1] % 120, 20_000)
    poses, pixels = (np.float32(x[order]) for x in (poses, pixels))
    scores = np.ones(pixels.shape[:2], np.float32)
    tracemalloc.start()
    placed = place(poses, pixels, scores)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak / len(poses) < 2700  # bytes, of 17 joints
    assert np.linalg.norm(placed - root[order], axis=-1).mean() < 0.05


def test_position_without_keypoints_is_nan():
    poses, pixels, _ = kick(4)
    assert np.isnan(place(poses, pixels, np.zeros((4, 17)))).all()


def test_irregular_timestamps_give_the_true_speed():
    poses, pixels, _ = kick()
    # constant speed, noisy keypoints, missing frames
    rng = np.random.default_rng(0)
    frames = np.sort(rng.choice(120, 70, replace=False))
    seconds = frames / 50
    root = np.stack([seconds, 0 * seconds, 4 + 0 * seconds], -1)
    joints = poses[:1].repeat(70, 0) + root[:, None]
    pixels = CAMERA['f'] * joints[..., :2] / joints[..., 2:] + CAMERA['c']
    pixels += rng.normal(0, 4, (70, 1, 2))

    def speed(times):
        placed = place(poses[:1].repeat(70, 0), pixels, seconds=times)
        return np.diff(placed[:, 0]) / np.diff(seconds)

    assert np.abs(speed(seconds) - 1).mean() < 0.1
    assert np.abs(speed(np.linspace(0, seconds[-1], 70)) - 1).mean() > 0.3
    # repeated timestamps
    twice = seconds.copy()
    twice[30] = twice[29]
    assert np.isfinite(place(poses[:1].repeat(70, 0), pixels, seconds=twice)).all()
