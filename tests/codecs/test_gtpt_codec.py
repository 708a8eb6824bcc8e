"""GTPT's labels: the published numbers, and decoding."""

import numpy as np
import official_weights
import pytest
from paths import DATA

from mmhot.codecs.gtpt_label import GTPTLabel
from mmhot.geometry.crops import find_peaks

FIXTURE = DATA / 'fixtures/gtpt_codec.npz'
SIZE = (192, 256)


@pytest.fixture(scope='module')
def published():
    return official_weights.load(FIXTURE)[1]


def build(**settings):
    return GTPTLabel(input_size=SIZE, **settings)


def encode_one(x, y, visible=1.0, **settings):
    """Labels of one joint: (384), (512) and its weight."""
    joint = np.array([[[x, y]]], np.float32)
    encoded = build(**settings).encode(joint, np.array([[visible]], np.float32))
    label_x = encoded['keypoint_x_labels'][0, 0]
    label_y = encoded['keypoint_y_labels'][0, 0]
    return label_x, label_y, encoded['keypoint_weights'][0, 0]


def test_labels_equal_the_published_ones(published):
    encoded = build().encode(published['input__joints'], published['input__visible'])
    for name, expected in (
        ('keypoint_x_labels', 'output__target_x'),
        ('keypoint_y_labels', 'output__target_y'),
        ('keypoint_weights', 'output__target_weight'),
    ):
        assert encoded[name].dtype == np.float32
        # float32 at positions of up to 500 bins
        np.testing.assert_allclose(encoded[name], published[expected], atol=1e-5)


def test_decoded_keypoints_and_scores_equal_the_published_ones(published):
    keypoints, scores = build().decode(
        published['output__prob_x'], published['output__prob_y']
    )
    scale = published['input__scale'][:, None]
    center = published['input__center'][:, None]
    in_image = (keypoints / SIZE - 0.5) * scale + center
    np.testing.assert_allclose(in_image, published['output__keypoints'], atol=1e-3)
    np.testing.assert_allclose(scores, published['output__scores'], atol=1e-6)


@pytest.mark.parametrize(('x', 'visible'), [(60.0, -1.0), (400.0, 1.0), (400.0, -1.0)])
def test_absent_keypoints_have_flat_labels_with_their_weight(x, visible):
    label_x, label_y, weight = encode_one(x, 90.0, visible, absent_weight=0.25)
    assert weight == 0.25
    np.testing.assert_allclose(label_x, 1 / 384, rtol=1e-6)
    np.testing.assert_allclose(label_y, 1 / 512, rtol=1e-6)
    assert label_x.dtype == label_y.dtype == np.float32
    # unknown keypoints do not count
    assert encode_one(60.0, 90.0, 0.0, absent_weight=0.25)[2] == 0
    there = encode_one(60.0, 90.0, absent_weight=0.25)
    np.testing.assert_equal(there, encode_one(60.0, 90.0))


@pytest.mark.parametrize(
    ('x', 'y', 'weight'),
    [
        (203.99, 128, 1),  # int(203.99 - 12) = 191
        (204, 128, 0),
        (96, 267.9, 1),
        (96, 268, 0),
        (-13.99, 128, 1),  # int(-0.99) = 0
        (-14, 128, 0),
        (96, -13.9, 1),
        (96, -14, 0),
    ],
)
def test_margin_is_counted_in_whole_pixels(x, y, weight):
    label_x, label_y, got = encode_one(x, y)
    assert got == weight
    if not weight:
        assert label_x.sum() == label_y.sum() == 0


def test_smoothed_positions_are_between_bins():
    codec = build(smoothing=4.0)
    joints = np.random.default_rng(0).uniform(20, 170, (3, 17, 2)).astype(np.float32)
    encoded = codec.encode(joints)
    labels = encoded['keypoint_x_labels'], encoded['keypoint_y_labels']
    keypoints, scores = codec.decode(*labels)
    np.testing.assert_allclose(keypoints, joints, atol=1e-3)
    np.testing.assert_array_equal(scores, build().decode(*labels)[1])


@pytest.mark.parametrize('bins', [(100, 101), (100, 103), (0, 1), (382, 383)])
def test_smoothed_positions_do_not_jump_between_equal_bins(bins):
    """The difference of two runtimes makes one or the other bin the highest."""
    axis = np.full((2, 384), 1e-4, np.float32)
    axis[:, bins] = 0.05
    axis[[0, 1], bins] *= 1 + 1e-6
    jumps = [np.ptp(find_peaks(axis, smoothing)) for smoothing in (0, 4.0)]
    assert jumps[0] == bins[1] - bins[0]
    assert jumps[1] < 1e-3
