"""Whole clips against single frames: what is measured of the chain."""

import json
import shutil
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from clip_files import SKATER
from lifters import save_lifter
from mocap import CAMERAS, JUMP, joints_of
from numpy.testing import assert_allclose
from rendered_clips import DATA, rendered

from mmhot.clips import to_axes
from mmhot.io.lifted import write_npz
from mmhot.lifting.lifter import Lifter
from mmhot.video.pipeline import VideoLifter
from tools.lab.benchmark.chain import (
    Truth,
    jitter_of,
    lift_alone,
    lift_variants,
    measure,
    measure_motions,
    measure_untold,
    see_motion,
)


@pytest.fixture(scope='module')
def pipeline(tmp_path_factory):
    path = save_lifter(tmp_path_factory.mktemp('lifter') / 'tiny.pth')
    return VideoLifter(None, Lifter(checkpoint=path))


@pytest.fixture
def truth():
    return Truth.read(DATA / 'rendered_walk.npz')


def test_truth_has_no_error_but_jitter(truth):
    found = measure(rendered('walk'), truth)
    counts = [found[key] for key in ('frames', 'missing', 'filled', 'switches')]
    assert counts == [136, 0, 0, 0]
    assert_allclose([found[key] for key in ('MPJPE', 'P-MPJPE', 'MPJVE')], 0, atol=1e-3)
    assert_allclose(found['jitter'], jitter_of(truth, 25.0), rtol=1e-5)
    assert truth.lens.size == (1280, 720)
    assert (found['pixels'], found['PCK@0.2']) == (0, 100)


def test_who_is_elsewhere_or_missing_is_counted(truth):
    clip = rendered('walk')
    track = np.where(clip.frame < 50, 0, 3)
    scores = clip.keypoint_scores_3d.copy()
    scores[7:10] = 0
    changed = replace(clip, track=track, keypoint_scores_3d=scores)
    kept = changed.take(np.flatnonzero(clip.frame % 10 < 8))
    found = measure(kept, truth)
    expected = {'missing': 26, 'filled': 1, 'switches': 1}
    assert {key: found[key] for key in expected} == expected
    moved = clip.keypoints_2d + np.float32([3, 4])
    assert_allclose(measure(replace(clip, keypoints_2d=moved), truth)['pixels'], 5)
    moved[:, 16] += 200  # one of twelve joints of limbs
    hits = measure(replace(clip, keypoints_2d=moved), truth)['PCK@0.2']
    assert_allclose(hits, 100 * 11 / 12)
    with pytest.raises(ValueError, match="errors need 'camera' axes, got 'z-up'"):
        measure(to_axes(clip, 'z-up'), truth)
    moved = clip.keypoints_2d + np.float32([900, 0])
    with pytest.raises(ValueError, match='nobody is where the person'):
        measure(replace(clip, keypoints_2d=moved), truth)


def test_tool_prints_errors_beside_the_truth(run_tool, tmp_path):
    clip = rendered('walk')
    shutil.copy(DATA / 'rendered_walk.npz', tmp_path / f'{clip.name}.npz')
    write_npz(clip, tmp_path / 'lifted.npz')
    lifted = tmp_path / 'lifted.npz'
    with redirect_stdout(StringIO()) as printed:
        assert run_tool('measure_lifted', lifted, '--truth', tmp_path) == (0, '')
    row = printed.getvalue().splitlines()[-1]
    assert row.split() == f'{clip.name} 0 of 136 0.0 px 100.0 % 0.0 mm 0.0 mm'.split()
    code, errors = run_tool('measure_lifted', lifted, '--truth', tmp_path / 'none')
    assert code == 2
    assert f'{clip.name}.npz' in errors
    assert len(errors.splitlines()) == 1


def test_frames_alone_know_nothing_of_each_other(pipeline):
    clip, _ = see_motion(joints_of(JUMP, 12), CAMERAS[0], 0)
    alone = lift_alone(pipeline, clip, max_gap=1.0)
    (track,) = clip.tracks
    one = replace(
        track, **{n: getattr(track, n)[4:5] for n in ('frames', 'keypoints', 'scores')}
    )
    single = pipeline.lift(replace(clip, tracks=[one]))
    assert_allclose(alone.keypoints_3d[4], single.keypoints_3d[0], atol=1e-5)
    whole = pipeline.lift(clip)
    assert np.abs(whole.keypoints_3d - alone.keypoints_3d).max() > 1e-3


def test_tool_tells_how_steady_a_clip_without_truth_is(run_tool, tmp_path):
    checkpoint = save_lifter(tmp_path / 'tiny.pth')
    out = tmp_path / 'table.json'
    options = ['--pose3d-weights', checkpoint, '--motions', 0, '--out', out]
    assert run_tool('evaluate_chain', SKATER, *options) == (0, '')
    rows = json.loads(out.read_text())['table'][SKATER.stem]
    assert {row['frames'] for row in rows.values()} == {185}
    assert all(row['jitter'] > 0 for row in rows.values())
    code, errors = run_tool('evaluate_chain', '--motions', -1)
    assert code == 2
    assert errors.endswith('--motions must be at least 0, got -1\n')


def test_all_variants_are_measured(pipeline):
    table = measure_motions(pipeline, [(joints_of(JUMP, 30), CAMERAS[0])] * 2)
    variants = lift_variants(
        *(pipeline, *[see_motion(joints_of(), CAMERAS[0], 0)[0]] * 2)
    )
    assert list(table) == ['truth', *variants]
    assert table['whole clip']['frames'] == 60
    assert table['poses smoothed']['jitter'] < table['whole clip']['jitter']
    untold = measure_untold(variants['whole clip'])
    assert untold['frames'] == 81
    assert untold['filled'] == 0
