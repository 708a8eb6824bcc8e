"""Places that stand for missing points are found, and no motion is taken for them."""

import numpy as np
import pytest
from paths import DATA

import mmhot
from mmhot.geometry.placeholders import find_placeholders

ARM = [11, 12, 13]
PLACES = {'far': -9999, 'corner': 1, 'size': 1000, 'middle': 500, 'last': None}


@pytest.fixture(scope='module')
def poses():
    """A walk in meters, z up, (T, 17, 3)."""
    with np.load(DATA / 'cmu_mocap/cmu_h36m17.npz') as motions:
        return motions[sorted(motions)[0]].astype(float)


@pytest.fixture(scope='module')
def pixels(poses):
    """The walk in an image of 1000 x 1000 pixels, 5 m away."""
    seen = poses - poses[len(poses) // 2, 0] * [1, 1, 0]
    depth = seen[..., 1] + 5
    flat = np.stack([seen[..., 0], 1.4 - seen[..., 2]], -1)
    return 500 + 1145 * flat / depth[..., None]


@pytest.mark.parametrize(
    ('place', 'share'),
    [(x, y) for x in PLACES for y in (0.1, 1.0) if (x, y) != ('last', 1.0)],
)
def test_places_that_repeat_are_found(place, share, pixels):
    start = len(pixels) // 3 if share < 1 else 0
    rows = slice(start, start + round(share * len(pixels)))
    points = pixels.copy()
    points[rows, ARM] = points[start - 1, ARM] if place == 'last' else PLACES[place]
    missing = np.zeros(points.shape[:2], bool)
    missing[rows, ARM] = True
    if place == 'last':  # The row before the others is right, and equal.
        missing[start - 1, ARM] = True
    np.testing.assert_array_equal(find_placeholders(points), missing)


def test_poses_that_are_held_until_they_jump_are_found(poses):
    poses = poses.copy()
    start = len(poses) // 3
    poses[start : start + 60] = poses[start - 1]
    assert np.flatnonzero(find_placeholders(poses).all(1)).tolist() == [
        *range(start, start + 60)
    ]


@pytest.mark.parametrize(
    'change',
    [
        lambda x: x,
        lambda x: x - x[:, :1],
        lambda x: x - x[:, :1] * [1, 1, 0],
        lambda x: np.round(1000 * x),
        lambda x: np.repeat(x[::3], 3, axis=0),
        lambda x: np.broadcast_to(x[:1], x.shape),
        lambda x: np.r_[x[: len(x) // 2], 1000 * x[len(x) // 2 :]],
    ],
    ids=['exact', 'relative', 'in place', 'millimeters', 'repeated', 'still', 'units'],
)
def test_motions_have_none(change, poses):
    assert not find_placeholders(change(poses)).any()


def test_whole_pixels_have_none(pixels):
    assert not find_placeholders(np.round(pixels)).any()


def test_a_placeholder_is_filled_and_said(pixels, caplog):
    points = pixels.copy()
    points[20:30, 13] = (1, 1)
    clip = mmhot.lift(points, skeleton='h36m-17', image_size=(1000, 1000), fps=50)
    whole = mmhot.lift(pixels, skeleton='h36m-17', image_size=(1000, 1000), fps=50)
    error = np.linalg.norm(clip.keypoints_3d - whole.keypoints_3d, axis=-1)
    assert error[20:30, 13].mean() < 0.1
    assert '[1.0, 1.0] of row 20 stands for a missing joint' in caplog.text
    assert '10 of ' in caplog.text
