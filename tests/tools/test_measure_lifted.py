"""Errors of lifted clips against ground truth."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from rendered_clips import DATA, rendered

from mmhot.io.lifted import write_npz
from mmhot.structures.clips_3d import to_axes
from tools.analysis.measure_lifted import measure
from tools.analysis.motions import GroundTruth


@pytest.fixture
def truth():
    return GroundTruth.read(DATA / 'rendered_walk.npz')


def test_ground_truth_has_no_errors(truth):
    row = measure(rendered('walk'), truth)
    assert (row['frames'], row['missing'], row['pixels']) == (136, 0, 0)
    np.testing.assert_allclose([row[key] for key in ('MPJPE', 'P-MPJPE')], 0, atol=1e-3)


def test_missing_and_distant_poses_are_counted(truth):
    clip = rendered('walk')
    kept = clip.take(np.flatnonzero(clip.frame % 10 < 8))
    assert measure(kept, truth)['missing'] == 26
    moved = clip.keypoints_2d + np.float32([3, 4])
    np.testing.assert_allclose(
        measure(replace(clip, keypoints_2d=moved), truth)['pixels'], 5
    )
    with pytest.raises(ValueError, match="axes must be 'camera', got 'z-up'"):
        measure(to_axes(clip, 'z-up'), truth)
    moved = clip.keypoints_2d + np.float32([900, 0])
    with pytest.raises(ValueError, match='no pose is near the ground truth'):
        measure(replace(clip, keypoints_2d=moved), truth)


def test_measure_lifted_prints_errors_against_ground_truth(
    run_tool, tool_error, tmp_path
):
    clip = rendered('walk')
    shutil.copy(DATA / 'rendered_walk.npz', tmp_path / f'{clip.name}.npz')
    write_npz(clip, tmp_path / 'lifted.npz')
    lifted = tmp_path / 'lifted.npz'
    out = run_tool('measure_lifted', lifted, '--ground-truth', tmp_path)
    expected = f'{clip.name} 0 of 136 0.0 px 0.0 mm 0.0 mm'.split()
    # no contacts in the file
    peaks = ['75.0', 'degrees'] * 2
    assert out.splitlines()[-1].split() == expected + 5 * ['-'] + peaks
    error = tool_error('measure_lifted', lifted, '--ground-truth', tmp_path / 'none')
    assert f'{clip.name}.npz' in error
