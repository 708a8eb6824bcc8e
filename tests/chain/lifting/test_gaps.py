"""Gaps in tracks: missing frames and joints."""

from dataclasses import replace

import mocap
import numpy as np
import pytest
from tracks import H36M, clip_of, standing, track

import mmhot
from mmhot.chain.lifting.gaps import GapFiller, fill_joints, find_known
from mmhot.chain.lifting.lifter import Lifter
from mmhot.datasets.transforms.detector_noise import RandomDetectorNoise
from mmhot.datasets.transforms.virtual_camera import floor_offset, project


def segments_of(track, max_gap=5):
    filler = GapFiller(float(max_gap), np.zeros_like)
    return filler.split(0, track.frames, track.keypoints, track.scores)


def test_short_gaps_are_filled_and_marked():
    keypoints = standing(20, 3.0)
    frames = np.r_[100:105, 110:120]
    (segment,) = segments_of(track(frames, keypoints[frames - 100]), max_gap=5)
    np.testing.assert_array_equal(segment.frames, np.arange(100, 120))
    np.testing.assert_allclose(segment.keypoints, keypoints, rtol=1e-6)
    expected = np.where(np.isin(segment.frames, frames), 0.5, 0)
    np.testing.assert_array_equal(segment.scores, expected[:, None].repeat(17, 1))


def test_long_gaps_split_a_track():
    segments = segments_of(track([3, 4, 11, 2_000_000]), max_gap=5)
    assert [s.frames.tolist() for s in segments] == [[3, 4], [11], [2_000_000]]


@pytest.mark.parametrize('uneven', [False, True])
def test_frames_of_a_time_lapse_are_no_motion(lifter, uneven):
    clip = clip_of(track(range(6)), fps=25.0 if uneven else 1 / 60)
    if uneven:  # a minute after the third frame
        clip = replace(clip, times=np.array([0, 0.04, 0.08, 60, 60.04, 60.08]))
    lengths = [len(segment.frames) for segment in lifter.prepare(clip)]
    assert lengths == ([3, 3] if uneven else [1] * 6)
    # seven seconds without the person in two frames are not filled, nor three of a row
    clip = replace(clip_of(track([0, 1, 4, 5])), times=np.r_[0, 1, 3, 6, 8, 9] * 1.0)
    samples = lifter.sample(standing(6), np.ones((6, 17)), clip.times)
    assert len(samples) == 1 + 5 * lifter.fps  # a second each
    assert [x.frames.tolist() for x in lifter.prepare(clip)] == [[0, 1], [4, 5]]
    points = standing(6, 3.0)
    points[2:4] = np.nan
    clip = replace(clip_of(track(range(6), points)), times=clip.times)
    assert [x.frames.tolist() for x in lifter.prepare(clip)] == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    'detected', [[0], [29], [14], [10, 11], [0, 29], [2, 12, 27], [5, 6, 20]], ids=str
)
@pytest.mark.parametrize('max_gap', [0, 5, 100])
def test_rows_without_joints_are_kept(detected, max_gap):
    keypoints = standing(30, 3.0)
    keypoints[np.setdiff1d(np.arange(30), detected)] = np.nan
    segments = segments_of(track(range(30), keypoints), max_gap)
    frames = np.concatenate([s.frames for s in segments])
    np.testing.assert_array_equal(frames, np.arange(30))
    filled = np.concatenate([s.keypoints for s in segments])
    np.testing.assert_array_equal(filled[detected], keypoints[detected])
    scores = np.concatenate([s.scores for s in segments])
    assert set(np.flatnonzero(scores.any(1))) == set(detected)
    if max_gap == 100:
        steps = np.diff(filled[:, 0, 0])
        assert steps.min() >= 0
        assert steps.max() < 3.001


def test_empty_rows_in_long_gaps_repeat_the_nearest_pose():
    keypoints = standing(31, 3.0)
    keypoints[1:30] = np.nan
    segments = segments_of(track(range(31), keypoints))
    assert [len(s.frames) for s in segments] == [16, 15]
    np.testing.assert_array_equal(segments[0].keypoints, keypoints[:1].repeat(16, 0))
    np.testing.assert_array_equal(segments[1].keypoints, keypoints[30:].repeat(15, 0))


def test_tracks_without_joints_give_no_segment():
    assert segments_of(track(range(4), np.full((4, 17, 2), np.nan, np.float32))) == []


def test_single_frame_and_single_joint_become_a_standing_person():
    keypoints = np.full((1, 17, 2), np.nan, np.float32)
    keypoints[0, H36M.index('left_wrist')] = 300, 200
    (segment,) = segments_of(track([9], keypoints))
    pose = dict(zip(H36M.joints, segment.keypoints[0], strict=True))
    assert pose['left_wrist'].tolist() == [300, 200]
    heights = [pose[j][1] for j in ('head', 'thorax', 'root', 'left_knee', 'left_foot')]
    assert heights == sorted(heights)
    for joint in ('hip', 'shoulder', 'wrist', 'foot'):
        assert pose[f'left_{joint}'][0] > pose[f'right_{joint}'][0]
    assert np.count_nonzero(segment.scores) == 1


def test_joints_never_detected_have_the_scale_of_the_others():
    keypoints = standing(3, 5.0) * 2
    occluded = keypoints.copy()
    legs = H36M.indices(['left_knee', 'right_knee', 'left_foot', 'right_foot'])
    occluded[:, legs] = np.nan
    np.testing.assert_allclose(fill_joints(occluded)[0], keypoints, rtol=1e-5)


def test_occluded_hands_move_with_the_body():
    keypoints = standing(30)
    keypoints[..., 0] += 100 * np.sin(np.arange(30))[:, None]
    occluded = keypoints.copy()
    occluded[5:25, H36M.index('left_wrist')] = np.nan
    filled, _ = fill_joints(occluded)
    np.testing.assert_allclose(filled, keypoints, rtol=1e-5)
    known = np.isfinite(occluded)
    np.testing.assert_array_equal(filled[known], occluded[known])


KNEES = H36M.indices(['left_knee', 'right_knee'])
FEET = H36M.indices(['left_foot', 'right_foot'])
HIPS = H36M.indices(['left_hip', 'right_hip'])


@pytest.fixture(scope='module')
def lifter():
    return Lifter(backend='onnx')


def person(camera, seated=False, frames=150):
    """Someone who turns a little: noisy pixels and meters in the camera's axes."""
    pose = mocap.standing_pose()[0]
    if seated:
        pose[KNEES] = pose[HIPS] + np.array([0, -0.42, -0.02])
        pose[FEET] = pose[KNEES] + np.array([0, 0.03, -0.4])
        pose[:, 2] -= 0.45
    angle = 0.5 + 0.2 * np.sin(np.arange(frames) / 20)
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x, y, z = np.broadcast_to(pose, (frames, 17, 3)).transpose(2, 0, 1)
    turned = np.stack([cos * x - sin * y, sin * x + cos * y, z], -1).astype(np.float32)
    pixels, poses = project(turned, mocap.CAMERAS[camera])
    noisy = RandomDetectorNoise(seed=0).transform(dict(keypoints=pixels, id=camera))
    return noisy['keypoints'], poses


def lift(lifter, keypoints):
    clip = clip_of(track(range(len(keypoints)), keypoints))
    return lifter(replace(clip, width=1000, height=1000)).keypoints_3d


def angles(first, second):
    """Angles between vectors (T, ..., 3), degrees, median over frames, (...)."""
    norms = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    cosine = (first * second).sum(-1) / norms
    return np.median(np.degrees(np.arccos(cosine.clip(-1, 1))), axis=0)


def thigh_errors(lifter, keypoints, poses):
    """Angles between lifted and true thighs, degrees, median over frames, (2,)."""
    lifted = lift(lifter, keypoints)
    return angles(*(x[:, KNEES] - x[:, HIPS] for x in (lifted, poses)))


def bent_knees(poses):
    """How far knees are bent, degrees, median over frames, (2,)."""
    knees = poses[:, KNEES]
    return angles(knees - poses[:, HIPS], poses[:, FEET] - knees)


@pytest.mark.parametrize('camera', [0, 1, 2, 3])
@pytest.mark.parametrize('false', ['none', 'one', 'some', 'in a row'])
def test_people_cut_at_the_waist_stand(lifter, camera, false):
    keypoints, poses = person(camera)
    keypoints[:, [*KNEES, *FEET]] = np.nan
    rng = np.random.default_rng(camera)
    frames = dict(none=[], one=[70], some=rng.choice(150, 7, replace=False))
    frames = frames.get(false, np.arange(60, 68))
    for hip, knee in zip(HIPS, KNEES, strict=True):
        keypoints[frames, knee] = keypoints[frames, hip] + rng.normal(0, 20, 2)
    assert thigh_errors(lifter, keypoints, poses).max() < 15
    (segment,) = lifter.prepare(clip_of(track(range(150), keypoints)))
    assert not segment.scores[:, [*KNEES, *FEET]].any()


@pytest.mark.parametrize(
    'unseen', [[*KNEES, *FEET], [*KNEES, *FEET, *HIPS, 0]], ids=len
)
@pytest.mark.parametrize('key', [mocap.JUMP, mocap.KICK])
def test_legs_that_nobody_sees_are_straight(lifter, key, unseen):
    joints = mocap.joints_of(key, 150)
    for camera in mocap.CAMERAS:
        keypoints = project(joints + floor_offset(joints), camera)[0].astype('f4')
        keypoints[:, unseen] = np.nan
        assert bent_knees(lift(lifter, keypoints)).max() < 1


@pytest.mark.parametrize(
    ('hidden', 'lines'),
    [
        ([*KNEES, *FEET], ['the legs of person 0 are not detected']),
        (FEET, []),
    ],
)
def test_legs_that_are_not_detected_are_said_in_python(hidden, lines, caplog):
    keypoints = person(0, seated=True)[0]
    keypoints[:, hidden] = np.nan
    mmhot.lift(clip_of(track(range(len(keypoints)), keypoints)))
    found = [x for x in caplog.messages if 'the legs of' in x]
    assert [x.split(': ')[1] for x in found] == lines


@pytest.mark.parametrize('camera', [0, 1, 2, 3])
def test_people_whose_knees_are_seen_stay_seated(lifter, camera):
    keypoints, poses = person(camera, seated=True)
    keypoints[:, FEET] = np.nan
    assert thigh_errors(lifter, keypoints, poses).max() < 20
    assert bent_knees(lift(lifter, keypoints)).min() > 60
    # and if they are seen in a fifth of the frames
    keypoints[30:, KNEES] = np.nan
    assert thigh_errors(lifter, keypoints, poses).max() < 35


def test_joints_are_known_near_frames_that_show_them_often():
    keypoints = standing(1000)
    times = np.arange(1000) / 50
    knee, foot = KNEES[0], FEET[0]
    keypoints[:, knee] = np.nan
    keypoints[400:450, knee] = 1  # 5 % of the frames
    keypoints[np.arange(1000) % 3 > 0, foot] = np.nan  # every third frame
    keypoints[150:, H36M.index('left_wrist')] = np.nan  # from the first 15 %
    shares = find_known(keypoints, times)
    assert (shares[400:450, knee] == 1).all()
    np.testing.assert_allclose(shares[449:475, knee], 1 - np.arange(26) / 25, atol=0.03)
    assert not shares[480:, knee].any()
    assert not shares[:, foot].any()
    assert (shares[:, H36M.index('left_wrist')] == 1).all()


def test_joints_of_limbs_that_are_seen_alone_must_be_seen_more(lifter):
    """A hand that is taken for a knee in 15 % of the frames, in a row."""
    keypoints, poses = person(0)
    legs, knee = [*KNEES, *FEET], KNEES[0]
    keypoints[:, legs] = np.nan
    keypoints[20:43, knee] = keypoints[20:43, H36M.index('left_wrist')]
    assert not find_known(keypoints, np.arange(150) / 50)[:, legs].any()
    assert thigh_errors(lifter, keypoints, poses).max() < 15
    # knees of the side that is seen of people who sit
    keypoints, poses = person(0, seated=True)
    keypoints[:, [KNEES[1], *FEET]] = np.nan
    assert (find_known(keypoints, np.arange(150) / 50)[:, knee] == 1).all()
    assert thigh_errors(lifter, keypoints, poses).max() < 25


def test_empty_rows_between_long_gaps_are_kept_without_filling_the_gaps():
    keypoints = standing(4, 3.0)
    keypoints[1:3] = np.nan
    segments = segments_of(track([0, 500, 502, 1000], keypoints))
    frames = [s.frames.tolist() for s in segments]
    assert sum(frames, []) == [0, 500, 501, 502, 1000]
    assert all(np.isfinite(s.keypoints).all() for s in segments)
