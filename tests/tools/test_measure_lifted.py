"""Errors of lifted clips against ground truth."""

import shutil
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from numpy.testing import assert_allclose
from rendered_clips import DATA, rendered

from mmhot.io.lifted import write_npz
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips import ARRAYS, to_axes
from tools.analysis.measure_lifted import measure
from tools.analysis.motions import GroundTruth


@pytest.fixture
def truth():
    return GroundTruth.read(DATA / 'rendered_walk.npz')


def test_ground_truth_has_jitter_but_no_errors(truth):
    row = measure(rendered('walk'), truth)
    counts = [row[key] for key in ('frames', 'missing', 'filled', 'switches')]
    assert counts == [136, 0, 0, 0]
    assert_allclose([row[key] for key in ('MPJPE', 'P-MPJPE', 'MPJVE')], 0, atol=1e-3)
    assert_allclose(row['jitter'], 2.4, atol=0.05)  # m/s^2
    assert truth.lens.size == (1280, 720)
    assert (row['pixels'], row['PCK@0.2']) == (0, 100)


def test_toes_hands_and_noses_are_not_measured(truth):
    clip, larger = rendered('walk'), get_skeleton('h36m-24')
    arrays = {x: getattr(clip, x) for x, (axes, _) in ARRAYS.items() if 'K' in axes}
    padded = {
        name: np.concatenate([array, array[:, :7]], axis=1)
        for name, array in arrays.items()
        if array is not None
    }
    tree = dict(joint_names=larger.joints, parents=larger.parents)
    changed = replace(clip, **tree, **padded).first_joints(17)
    assert measure(changed, truth) == measure(clip, truth)


def test_constant_differences_are_no_part_of_the_error_without_mean(truth):
    clip = rendered('walk')
    doubtful = np.full(clip.scores.shape, 0.03, np.float32)
    shifted = clip.keypoints_3d.copy()
    shifted[:, 16, 2] += 0.17
    row = measure(replace(clip, keypoints_3d=shifted, expected_error=doubtful), truth)
    found = [row[key] for key in ('MPJPE', 'without mean', 'expected')]
    assert_allclose(found, [10, 0, 30], atol=1e-3)


def test_missing_and_distant_poses_are_counted(truth):
    clip = rendered('walk')
    track = np.where(clip.frame < 50, 0, 3)
    scores = clip.keypoint_scores_3d.copy()
    scores[7:10] = 0
    changed = replace(clip, track=track, keypoint_scores_3d=scores)
    kept = changed.take(np.flatnonzero(clip.frame % 10 < 8))
    row = measure(kept, truth)
    expected = {'missing': 26, 'filled': 1, 'switches': 1}
    assert {key: row[key] for key in expected} == expected
    moved = clip.keypoints_2d + np.float32([3, 4])
    assert_allclose(measure(replace(clip, keypoints_2d=moved), truth)['pixels'], 5)
    moved[:, 16] += 200  # one of twelve joints of limbs
    hits = measure(replace(clip, keypoints_2d=moved), truth)['PCK@0.2']
    assert_allclose(hits, 100 * 11 / 12)
    with pytest.raises(ValueError, match="axes must be 'camera', got 'z-up'"):
        measure(to_axes(clip, 'z-up'), truth)
    moved = clip.keypoints_2d + np.float32([900, 0])
    with pytest.raises(ValueError, match='no pose is near the ground truth'):
        measure(replace(clip, keypoints_2d=moved), truth)


def test_measure_lifted_prints_errors_against_ground_truth(run_tool, tmp_path):
    clip = rendered('walk')
    shutil.copy(DATA / 'rendered_walk.npz', tmp_path / f'{clip.name}.npz')
    write_npz(clip, tmp_path / 'lifted.npz')
    lifted = tmp_path / 'lifted.npz'
    with redirect_stdout(StringIO()) as printed:
        assert run_tool('measure_lifted', lifted, '--ground-truth', tmp_path) == (0, '')
    row = printed.getvalue().splitlines()[-1]
    expected = f'{clip.name} 0 of 136 0.0 px 100.0 % 0.0 mm 0.0 mm 0.0 mm'.split()
    # neither expected errors nor contacts in the file
    peaks = ['75.0', 'degrees'] * 2
    assert row.split() == expected + 8 * ['-'] + peaks
    missing = tmp_path / 'none'
    code, errors = run_tool('measure_lifted', lifted, '--ground-truth', missing)
    assert code == 2
    assert f'{clip.name}.npz' in errors
    assert len(errors.splitlines()) == 1
