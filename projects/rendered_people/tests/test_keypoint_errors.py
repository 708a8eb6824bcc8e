"""Metrics of 2D keypoints, compared with values computed by hand."""

import numpy as np
import pytest

from projects.rendered_people.keypoint_errors import (
    LabeledPeople,
    calibration_error,
    fit_confidence,
    group_trunks,
    reliability,
    summarize,
)

# left and right shoulder, left and right hip; the torso's diagonal is 50 pixels
TRUTH = np.array([[[40, 10], [10, 10], [40, 50], [10, 50]]], float)
PARTNERS = np.array([1, 0, 3, 2])


def people(predicted, labeled=True, truth=TRUTH):
    count = len(predicted)
    return LabeledPeople(
        predicted=np.asarray(predicted, float),
        truth=np.repeat(truth, count, 0),
        labeled=np.broadcast_to(labeled, (count, 4)),
        bboxes=np.tile([0.0, 0, 50, 80], (count, 1)),
        partners=PARTNERS,
        torso=((0, 3), (1, 2)),
        sigmas=np.full(4, 0.1),
    )


def test_perfect_keypoints_have_perfect_metrics():
    row = summarize(people(TRUTH))
    assert row.pop('people') == 1
    assert row.pop('swapped') == 0
    assert set(row.values()) == {1.0}


def test_pck_is_relative_to_torso_diagonal_or_bbox():
    shifted = TRUTH + [[[9.9, 0], [0, 10.1], [0, 0], [-6, 8]]]
    found = people(shifted)
    np.testing.assert_allclose(found.torso_lengths(), [50])
    # 10 pixels are a fifth of 50; the fourth is exactly that far off
    assert found.within(0.2).tolist() == [[True, False, True, True]]
    assert found.within(0.1, 'bbox').tolist() == [[False, False, True, False]]


@pytest.mark.parametrize(
    ('degrees', 'name'),
    [
        (0, 'upright'),
        (59, 'upright'),
        (-90, 'lying'),
        (121, 'inverted'),
        (180, 'inverted'),
    ],
)
def test_people_are_grouped_by_their_trunks(degrees, name):
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    turned = TRUTH @ [[cosine, sine], [-sine, cosine]]
    groups = group_trunks(people(TRUTH, truth=turned))
    assert [x for x, rows in groups.items() if rows.all()] == [name]
    assert people(TRUTH, truth=turned).select(groups[name]).truth.shape == (1, 4, 2)


def test_swapped_sides_differ_from_wrong_keypoints():
    mirrored = TRUTH[:, PARTNERS]
    mirrored[0, 3] = [200, 200]
    row = summarize(people(mirrored))
    assert (row['PCK@0.2 torso'], row['swapped'], row['PCK, any side']) == (
        0,
        0.75,
        0.75,
    )


def test_oks_is_cocos():
    found = people(TRUTH + [3, 4], labeled=[True, True, False, False])
    area = 50 * 80 * 0.53
    np.testing.assert_allclose(found.oks(), np.exp(-25 / (2 * area * 0.2**2)))


def test_people_without_predictions_count():
    found = people(np.concatenate([TRUTH, np.full_like(TRUTH, np.nan)]))
    np.testing.assert_array_equal(found.oks(), [1, 0])
    row = summarize(found)
    assert row['OKS'] == row['OKS > .5'] == row['AP-like'] == 0.5
    assert row['PCK@0.2 torso'] == row['PCK@0.1 bbox'] == 0.5
    assert row['swapped'] == 0


def test_reliability_compares_confidence_and_accuracy():
    scores = np.array([0.05, 0.15, 0.15, 0.95, 1.0])
    table = reliability(scores, np.array([False, True, False, True, True]))
    assert [count for *_, count in table] == [1, 2, 2]
    np.testing.assert_allclose([share for _, share, _ in table], [0, 0.5, 1])
    wanted = (0.05 * 1 + 0.35 * 2 + 0.025 * 2) / 5
    assert calibration_error(table) == pytest.approx(wanted)


def test_fitted_confidences_are_monotonic_and_calibrated():
    rng = np.random.default_rng(0)
    scores = rng.uniform(0, 0.5, 20_000)
    correct = rng.uniform(size=20_000) < np.sqrt(2 * scores)  # an underconfident model
    curve = fit_confidence(scores, correct)
    assert curve[0][::9] == (0, 1)
    assert all(np.diff(row).min() >= 0 for row in curve)
    np.testing.assert_allclose(
        np.interp([0.1, 0.2, 0.4], *curve), np.sqrt([0.2, 0.4, 0.8]), atol=0.03
    )
    before = calibration_error(reliability(scores, correct))
    after = calibration_error(reliability(np.interp(scores, *curve), correct))
    assert before > 0.3
    assert after < 0.02
