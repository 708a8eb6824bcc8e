"""Expected errors of lifted joints: their size, and formats' units."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from mocap import CAMERAS, JUMP, KICK, joints_of
from rendered_clips import rendered
from tracks import H36M, clip_of, track, wiggling

import mmhot
from mmhot.chain.lifting.lifted import Evidence
from mmhot.chain.lifting.world import scale_people
from mmhot.chain.poses.expected_error import (
    EVIDENCE,
    gather_evidence,
    predict_errors,
    read_coefficients,
)
from mmhot.chain.poses.extremities import AddJoints
from mmhot.datasets.transforms.detector_noise import person_height
from mmhot.weights.index import DEFAULT_LIFTER, WEIGHTS_FOLDER
from tools.analysis.motions import project_motion

WEIGHTS = WEIGHTS_FOLDER / f'{DEFAULT_LIFTER}.pth'


OCCLUDED = [
    *([f'{side}_knee', f'{side}_foot'] for side in ('left', 'right')),
    *([f'{side}_elbow', f'{side}_wrist'] for side in ('left', 'right')),
]


def occlude(clip, rng):
    """Occlude limbs of the one person: low confidence, and guesses that drift."""
    (person,) = clip.tracks
    keypoints, scores = person.keypoints.copy(), person.scores.copy()
    size = person_height(keypoints)
    for begin in range(20, len(keypoints), 70):
        joints = H36M.indices(OCCLUDED[rng.integers(len(OCCLUDED))])
        window = np.ix_(range(begin, min(begin + 40, len(keypoints))), joints)
        shape = keypoints[window].shape
        drift = np.cumsum(rng.normal(0, 1, shape), 0) / len(window[0]) ** 0.5
        keypoints[window] += (rng.normal(0, 1, shape[1:]) + drift) * 0.07 * size
        scores[window] = rng.uniform(0.05, 0.45)
    return replace(clip, tracks=[replace(person, keypoints=keypoints, scores=scores)])


def lift(clip, **options):
    return mmhot.lift(clip, device='cpu', **options)


def test_occluded_joints_are_expected_to_be_wrong():
    ratios, shares = [], []
    for seed, (key, camera) in enumerate(zip([JUMP, KICK] * 2, CAMERAS, strict=True)):
        clip, truth = project_motion(joints_of(key, 150), camera, seed)
        hidden = occlude(clip, np.random.default_rng(seed))
        moved = hidden.tracks[0].scores != clip.tracks[0].scores
        clip = lift(hidden)
        errors = np.linalg.norm(clip.keypoints_3d - truth.poses, axis=-1)
        assert clip.expected_error.shape == errors.shape
        assert (clip.expected_error[:, 0] == 0).all()
        ratios.append(clip.expected_error.mean() / errors.mean())
        if moved.any():
            shares.append(clip.expected_error[moved].mean() / errors[moved].mean())
            seen = ~moved
            seen[:, 0] = False
            assert clip.expected_error[moved].mean() > 1.2 * (
                clip.expected_error[seen].mean()
            )
    assert 0.7 < np.mean(ratios) < 1.4
    assert 0.5 < np.mean(shares) < 2


def test_frame_rate_and_other_people_do_not_matter():
    alone, _ = project_motion(joints_of(KICK, 150), CAMERAS[0], 0)
    (person,) = alone.tracks
    frames = np.arange(75)
    halved = replace(
        person,
        frames=frames,
        keypoints=person.keypoints[::2],
        scores=person.scores[::2],
    )
    both = replace(alone, fps=25.0, tracks=[halved, track(frames, number=3)])
    expected, clip = lift(alone).expected_error, lift(both)
    again = clip.expected_error[clip.track == 0]
    assert again[:, 1:].mean() == pytest.approx(expected[:, 1:].mean(), rel=0.1)
    assert np.corrcoef(again[:, 1:].ravel(), expected[::2, 1:].ravel())[0, 1] > 0.9


def test_without_flip_test_or_fit_no_error_is_expected():
    clip = clip_of(track(range(9)))
    without = ({'speed': 'fast'}, {'pose3d': 'nanohtnet'}, {'without': 'errors'})
    assert [lift(clip, **x).expected_error for x in without] == [None] * 3


def test_coefficients_lie_beside_the_weights(tmp_path):
    clip, copied = clip_of(track(range(9))), tmp_path / 'own.pth'
    shutil.copy(WEIGHTS, copied)
    assert lift(clip, pose3d_weights=copied).expected_error is None
    shutil.copy(WEIGHTS.with_suffix('.errors.json'), tmp_path / 'own.errors.json')
    expected = lift(clip, backend='torch').expected_error
    found = lift(clip, pose3d_weights=copied).expected_error
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert lift(clip, backend='onnx').expected_error is not None


def test_errors_are_scaled_and_unknown_for_added_joints():
    seen = clip_of(track(range(30), wiggling(30)))
    clip = lift(seen)
    taller = scale_people(clip, 2.0)
    factor = taller.keypoints_3d[5, 3] / clip.keypoints_3d[5, 3]
    np.testing.assert_allclose(
        taller.expected_error, clip.expected_error * factor.mean(), rtol=1e-4
    )
    extended = AddJoints().extend(clip, seen)
    np.testing.assert_array_equal(extended.expected_error[:, :17], clip.expected_error)
    assert np.isnan(extended.expected_error[:, 17:]).all()
    assert len(extended.take(np.arange(3)).checked().expected_error) == 3


def test_evidence_is_geometry():
    poses = np.zeros((4, 17, 3))
    poses[:, H36M.index('left_shoulder')] = [0.2, 0, 0]
    poses[:, H36M.index('right_shoulder')] = [-0.2, 0, 0]
    poses[:, H36M.index('left_wrist')] = [0, 0, 0.3]
    still, ones = np.zeros((4, 17)), np.ones((4, 17))
    clip = replace(rendered('walk').take(slice(4)), keypoints_3d=poses, scores=ones)
    doubts = Evidence(still, still, np.tile([0, 0, 2.0], (4, 1)))
    evidence = gather_evidence(clip, doubts, np.arange(4))
    wrist = dict(zip(EVIDENCE, evidence[0, H36M.index('left_wrist')], strict=True))
    assert wrist['distance from the root'] == pytest.approx(0.3)
    assert wrist['share of the bone along the line of sight'] == pytest.approx(1)
    assert wrist['share of the shoulders along the line of sight'] == pytest.approx(0)
    assert wrist['disagreement'] == pytest.approx(np.log(0.002))
    errors = predict_errors(1e3 * np.abs(evidence), read_coefficients(WEIGHTS))
    assert errors.max() <= 0.5
