"""Foot contacts and locked feet."""

from dataclasses import replace

import numpy as np
import pytest
from feet import slow_errors
from mocap import KICK, joints_of, standing_pose
from rendered_clips import DATA, H36M, rendered

import mmhot
from mmhot.chain.poses.contacts import (
    ANKLES,
    load_contact_weights,
    predict_contacts,
)
from mmhot.chain.poses.foot_lock import LockFeet
from mmhot.chain.poses.foot_solver import LEGS, bend_knee
from mmhot.structures.clips_3d import Clip3D
from tools.analysis.motions import GroundTruth, resampled
from tools.motion_quality import find_contacts, foot_slide

DEMO = DATA.parents[1] / 'demo'


def wrong_walk(seed=0):
    """Return ground-truth poses of a walk with a lifter's slow errors, and contacts."""
    truth = GroundTruth.read(DEMO / 'walk.npz')
    clip = rendered('walk')
    errors = slow_errors(np.random.default_rng(seed), 0.04, len(clip))
    poses = clip.keypoints_3d + errors[:, :17]
    poses[:, 0] = 0
    wrong = replace(
        clip,
        keypoints_3d=poses.astype(np.float32),
        root_3d=(truth.root + errors[:, 17]).astype(np.float32),
        model='a lifter',
    )
    return wrong, truth


def slide(clip, truth):
    ankles = clip.places()[:, ANKLES].astype(np.float64)
    return foot_slide(ankles, truth.contacts, clip.frame, clip.fps)


def test_contacts_are_slow_and_low_ankles():
    ankles = np.zeros((100, 2, 3))
    ankles[:, 0, 0] = np.arange(100) * 0.02  # 1 m/s
    ankles[40:60, 1, 2] = 0.3  # lifted, at rest
    stands = find_contacts(ankles, 50.0)
    assert not stands[:, 0].any()
    expected = np.ones(100, bool)
    expected[38:62] = False  # with the frames in which it is fast
    assert (stands[:, 1] == expected).all()


def test_contact_net_is_small_and_knows_walk_and_dance():
    assert sum(x.size for x in load_contact_weights().values()) < 300_000
    for name, least in (('walk', 0.85), ('dance', 0.85)):
        clip, truth = rendered(name), GroundTruth.read(DEMO / f'{name}.npz')
        seconds = clip.frame / clip.fps
        found = predict_contacts(clip.keypoints_2d, clip.scores, seconds) > 0.5
        both = (found & truth.contacts).sum()
        assert both / found.sum() > least
        assert both / truth.contacts.sum() > least


def test_locked_feet_stand_and_errors_do_not_grow():
    clip, truth = wrong_walk()
    locked = LockFeet(contacts=lambda *_: truth.contacts.astype(float)).lock(clip)
    assert slide(clip, truth) > 20
    assert slide(locked, truth) < 2.5
    for name, target in (('root_3d', truth.root), ('keypoints_3d', truth.poses)):
        before, after = (
            np.linalg.norm(getattr(x, name) - target, axis=-1).mean()
            for x in (clip, locked)
        )
        assert after < before + 0.002


def test_locked_legs_have_constant_bones_and_bend_forward():
    clip, truth = wrong_walk()
    locked = LockFeet(contacts=lambda *_: truth.contacts.astype(float)).lock(clip)
    poses = locked.keypoints_3d.astype(np.float64)
    forward = np.cross(
        poses[:, H36M.index('thorax')], poses[:, LEGS[0][0]] - poses[:, LEGS[1][0]]
    )
    for hip, knee, ankle in LEGS:
        for start, end in ((hip, knee), (knee, ankle)):
            lengths = np.linalg.norm(poses[:, end] - poses[:, start], axis=-1)
            assert np.ptp(lengths) < 1e-4
        line = poses[:, ankle] - poses[:, hip]
        line /= np.linalg.norm(line, axis=-1, keepdims=True)
        bend = poses[:, knee] - poses[:, hip]
        bend -= (bend * line).sum(-1, keepdims=True) * line
        ahead = forward - (forward * line).sum(-1, keepdims=True) * line
        assert (bend * ahead).sum(-1).min() > -1e-8  # or straight
    others = [joint for joint in range(17) if joint not in {*LEGS[0][1:], *LEGS[1][1:]}]
    np.testing.assert_allclose(
        poses[:, others], clip.keypoints_3d[:, others], atol=1e-7
    )


@pytest.mark.parametrize('speed', [0.0, 0.05, 0.1, 0.3, 2.0])
@pytest.mark.parametrize('heading', [0.0, 2.2])
def test_exact_feet_that_stand_or_glide_are_untouched(speed, heading):
    way = speed * np.outer(np.arange(135) / 25, [np.cos(heading), np.sin(heading), 0])
    sway = 0.02 * np.sin(np.arange(135) / 20)[:, None, None] * np.eye(3)[0]
    poses = standing_pose() + way[:, None] + sway * (standing_pose()[..., 2:] > 0.1)
    clip = Clip3D.from_arrays(poses, 25.0, axes='world')
    for noise in (0.0, 0.002 if speed else 0.0):
        given = replace(clip, steps={'smoothing': {'noise': noise}})
        places = LockFeet().lock(given).places()
        np.testing.assert_allclose(places, clip.places(), atol=1e-5)


@pytest.mark.parametrize('depth', [0.3, 0.5])
@pytest.mark.parametrize('seen', [1, 0.5], ids=['all contacts', 'parts of contacts'])
def test_feet_on_a_treadmill_are_not_held_if_lifted_too_flat(depth, seen, caplog):
    caplog.set_level('INFO', 'mmhot')
    truth, clip = GroundTruth.read(DEMO / 'walk.npz'), rendered('walk')
    poses = (truth.poses * [1, 1, depth]).astype(np.float32)
    seconds = clip.frame / clip.fps
    way = np.outer(seconds / seconds[-1], truth.root[-1] - truth.root[0])
    is_seen = (clip.frame % 6 < 6 * seen)[:, None]
    step = LockFeet(contacts=lambda *points: predict_contacts(*points) * is_seen)
    # Backwards, parts of contacts do not show that feet glide.
    for ways, is_held in ((0, True), (1, False), (2, seen < 1)):
        root = truth.root - ways * way
        lifted = dict(root_3d=root.astype(np.float32), model='a lifter')
        given = replace(clip, keypoints_3d=poses, **lifted)
        moved = np.abs(step.lock(given).places() - given.places()).max()
        assert (moved > 0.01) == is_held
    in_place, *backwards = caplog.records
    assert 'feet of person 0 glide in place' in in_place.getMessage()
    assert in_place.levelname == 'WARNING'
    assert len(backwards) == (seen == 1)
    for note in backwards:
        assert 'feet of person 0 glide and are not' in note.getMessage()
        assert note.levelname == 'INFO'


def test_steps_of_a_fast_kick_are_not_held():
    [(places, _)] = resampled([joints_of(KICK, 150)], 25.0, 1.6)
    clip = Clip3D.from_arrays(places, 25.0, axes='world')
    np.testing.assert_allclose(LockFeet().lock(clip).places(), clip.places(), atol=1e-5)


def test_clips_without_contacts_or_places_are_untouched():
    clip, _ = wrong_walk()
    no_contacts = LockFeet(contacts=lambda points, *_: np.zeros((len(points), 2)))
    none = no_contacts.lock(clip)
    unknown = rendered('walk')  # without root positions
    for before, after in ((clip, none), (unknown, LockFeet().lock(unknown))):
        np.testing.assert_allclose(after.keypoints_3d, before.keypoints_3d, atol=0)
        np.testing.assert_allclose(after.root_3d, before.root_3d, atol=0)
    short = clip.take(np.arange(2))
    np.testing.assert_allclose(
        LockFeet().lock(short).keypoints_3d, short.keypoints_3d, atol=0
    )


def test_people_are_locked_independently():
    clip, truth = wrong_walk()
    contacts = {136: truth.contacts.astype(float)}
    both = replace(
        clip.take(np.repeat(np.arange(len(clip)), 2)), track=np.tile([0, 1], len(clip))
    )
    step = LockFeet(contacts=lambda x, *_: contacts[len(x)])
    alone, together = step.lock(clip), step.lock(both)
    np.testing.assert_allclose(together.root_3d[1::2], alone.root_3d, atol=1e-6)


def test_feet_of_lifted_poses_are_locked_later():
    clip, truth = wrong_walk()
    later = dict(static_camera=True, smooth_3d='none')
    locked = mmhot.refine(clip, **later)
    lifted = mmhot.refine(clip, **later, without='feet')
    assert slide(locked, truth) < slide(lifted, truth) / 3


def test_knees_of_people_who_bend_over_stay_where_they_are():
    pose = np.zeros((1, 17, 3))
    pose[0, H36M.indices(['right_hip', 'left_hip']), 0] = -0.1, 0.1
    pose[0, H36M.index('thorax')] = 0, 0.05, -0.5  # toward the camera, a bit down
    for (_, knee, ankle), side in zip(LEGS, (-0.1, 0.1), strict=True):
        pose[0, knee] = side, 0.4, -0.12
        pose[0, ankle] = side, 0.8, 0
    hinge = np.array([[-1.0, 0, 0]])
    for leg in LEGS:
        bones = np.linalg.norm(np.diff(pose[0, leg], axis=0), axis=-1)
        bent = bend_knee(pose[:, leg], pose[:, leg[2]], hinge, bones)
        np.testing.assert_allclose(bent, pose[:, leg[1:]], atol=1e-6)


def test_legs_that_would_be_too_long_become_straighter_without_a_flat_piece():
    lengths = np.linspace(0.97, 1.03, 7)
    lifted = np.tile([[0, 0, 0], [0, 0.48, -0.1], [0, 0.97, 0]], (7, 1, 1))
    ankle = np.outer(lengths, [0, 1, 0])
    hinge = np.tile([1.0, 0, 0], (7, 1))
    _, moved = bend_knee(lifted, ankle, hinge, np.array([0.5, 0.5])).swapaxes(0, 1)
    bent = np.linalg.norm(moved, axis=-1)
    np.testing.assert_allclose(bent[:3], lengths[:3], atol=1e-3)
    assert (np.diff(bent) > 1e-5).all()
    assert bent.max() <= 1


@pytest.mark.parametrize('pelvis', ['unknown', 'in place', 'free'])
def test_the_speed_of_a_treadmill_moves_who_walks_in_place(pelvis):
    own = np.outer(np.arange(75) / 25, [0, -1.2, 0])[:, None]  # as standing poses face
    poses = standing_pose() + np.zeros((75, 1, 1))
    root = np.full((75, 3), np.nan) if pelvis == 'unknown' else 0.0 * own[:, 0]
    root = own[:, 0] if pelvis == 'free' else root
    clip = Clip3D.from_arrays(poses - poses[:, :1], 25.0, root_3d=root, axes='world')
    places = LockFeet(treadmill=1.2).lock(clip).root_3d
    np.testing.assert_allclose(places, own[:, 0], atol=1e-5)
