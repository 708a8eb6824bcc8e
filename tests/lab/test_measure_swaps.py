"""Injected swaps, and the share that is undone."""

import numpy as np
import pytest
from mocap import CAMERAS, JUMP, KICK, joints_of
from rendered_clips import rendered

from tools.lab import measure_swaps
from tools.lab.demo_inputs import read_truth


def test_swaps_are_drawn_as_often_as_stated():
    rng = np.random.default_rng(0)
    drawn = measure_swaps.draw_swaps(rng, 50_000, 25.0, 0.5)
    left, right = (drawn[:, joints] for joints in ([5, 12], [2, 15]))
    np.testing.assert_array_equal(left, right)
    # knees are part of three kinds of swaps, elbows as well; few coincide
    assert left.mean(0) == pytest.approx(0.075, abs=0.012)
    assert not measure_swaps.draw_swaps(rng, 100, 25.0, 0.0).any()


def test_counts_by_pair_of_joints():
    truth = np.zeros((10, 17), bool)
    truth[2:4, [4, 1]] = True
    found = np.zeros((10, 17), bool)
    found[3:5, [4, 1]] = True
    assert measure_swaps.compare(found, truth).tolist() == [1, 2, 1, 58]


def test_most_swaps_of_motion_capture_are_undone():
    motions = [
        (joints_of(key, 400), camera) for key in (JUMP, KICK) for camera in CAMERAS[:3]
    ]
    counts = sum(
        measure_swaps.compare(
            measure_swaps.find_swaps(track, 'h36m-17', track.frames / 25), truth
        )
        for track, truth in measure_swaps.make_tracks(motions, 25.0, 0.5)
    )
    undone, swapped, spoiled, right = counts
    assert undone >= 0.9 * swapped > 0
    assert spoiled <= 0.005 * right


def test_repaired_clips_have_the_errors_of_clips_without_swaps():
    row = measure_swaps.measure_repair(rendered('walk'), read_truth('walk'), draws=1)
    assert row['swapped'] == pytest.approx(3.4, abs=0.1)
    assert (row['undone'], row['spoiled']) == (100, 0)
    assert row['repaired'] == pytest.approx(row['right'], abs=0.01)
    assert row['as swapped'] > row['right'] + 1
