"""Skeletons with constant bones, and rigs of programs, fitted to joint positions."""

from dataclasses import replace

import numpy as np
import pytest
from mocap import H36M, JUMP, KICK, joints_of
from rendered_clips import DATA, rendered
from scipy.spatial.transform import Rotation

import mmhot
from mmhot.chain.lifting.world import place_people, to_world, turn
from mmhot.chain.poses.foot_lock import LockFeet
from mmhot.io.writers.rigid_skeleton import fit_rig, fit_rigid_skeleton, joint_errors
from mmhot.io.writers.rigs import BVH_PROFILES, HUMAN_IK


def lengths(positions):
    parents, children = np.transpose(H36M.bones)
    return np.linalg.norm(positions[:, parents] - positions[:, children], axis=-1)


def test_skeleton_of_constant_bones_is_fitted_exactly():
    first = fit_rigid_skeleton(joints_of(KICK), H36M).positions()
    again = fit_rigid_skeleton(first, H36M).positions()
    np.testing.assert_allclose(again, first, atol=1e-4)
    np.testing.assert_allclose(
        lengths(first), lengths(first)[:1].repeat(len(first), 0), atol=1e-9
    )


def test_fit_is_equivariant_to_rigid_motion():
    positions = joints_of(KICK)
    turn = Rotation.from_euler('xyz', [0.3, -0.2, 2.0]).as_matrix()
    fitted = fit_rigid_skeleton(positions, H36M).positions()
    moved = fit_rigid_skeleton(positions @ turn.T + [1, 2, 3], H36M).positions()
    np.testing.assert_allclose(moved, fitted @ turn.T + [1, 2, 3], atol=1e-5)


@pytest.fixture(scope='module')
def dance():
    """Return a lifted dance, whose forearms the lifter makes 18 to 29 cm long."""
    with np.load(DATA / 'rendered_dance.npz') as given:
        keypoints = given['keypoints_2d']
    options = dict(image_size=(1280, 720), fps=25, static_camera=True)
    return turn(mmhot.lift(keypoints, **options), 'world', static_camera=True)


def test_bones_of_a_clip_have_constant_lengths(dance):
    values = lengths(dance.places())
    np.testing.assert_allclose(values, values[:1].repeat(len(values), 0), atol=1e-4)


@pytest.mark.parametrize('name', BVH_PROFILES)
def test_joints_stay_where_they_are(dance, name):
    """Hips and root are no triangle of constant angles; limbs stay with their roots."""
    rig, places = BVH_PROFILES[name], dance.places().astype(np.float64)
    errors = joint_errors(fit_rig(places, rig), rig, places)
    assert errors.mean(0).max() < 0.003
    assert errors.max() < 0.01
    arms = [x for x in H36M.joints if x.endswith(('shoulder', 'elbow', 'wrist'))]
    assert errors[:, H36M.indices(arms)].max() < 0.003


def test_heads_turn_about_the_neck():
    """Noses turn heads, which stay where they are."""
    clip = mmhot.lift(DATA / 'vtest_2d_coco17.npz', joints=24, people='largest')
    places = turn(clip, 'world', static_camera=False).places().astype(np.float64)
    errors = joint_errors(fit_rig(places, HUMAN_IK), HUMAN_IK, places)
    assert errors[:, H36M.index('head')].max() < 0.02


RIGS = {**BVH_PROFILES, 'humanik': HUMAN_IK}


@pytest.mark.parametrize('name', RIGS)
@pytest.mark.parametrize('clip', [JUMP, KICK])
def test_motion_capture_is_fitted_within_a_centimeter(name, clip):
    rig, positions = RIGS[name], joints_of(clip, 150)
    motion = fit_rig(positions, rig)
    wanted = rig.places @ positions
    found = motion.positions()[:, : wanted.shape[1]]
    errors = np.linalg.norm(found - wanted, axis=-1)
    assert errors.mean() < 0.002
    assert errors.mean(0).max() < 0.005


def test_rest_pose_is_a_t_pose_with_toes_forward():
    motion = fit_rig(joints_of(KICK, 60), HUMAN_IK)
    rest = dict(zip(HUMAN_IK.joints, motion.rest(), strict=True))
    for side, sign in (('left', 1), ('right', -1)):
        arm = rest[f'{side}_wrist'] - rest[f'{side}_shoulder']
        assert sign * arm[0] > 0.5
        np.testing.assert_allclose(arm[1:], 0, atol=1e-9)
        foot = rest[f'{side}_toe'] - rest[f'{side}_foot']
        assert foot[2] > 0.1
        assert -0.08 < foot[1] < -0.04
    assert rest['head'][1] > rest['thorax'][1] > rest['spine_2'][1] > 0.3


def test_standing_feet_are_level_and_lifted_ones_follow_the_shin():
    motion = fit_rig(joints_of(KICK, 150), HUMAN_IK)
    places, axes = motion.placed()
    for side in ('left', 'right'):
        foot, toe = (HUMAN_IK.joints.index(f'{side}_{x}') for x in ('foot', 'toe'))
        ankle = places[:, foot, 2]
        tilt = np.degrees(np.arccos(axes[:, foot, 2, 1].clip(-1, 1)))
        knee = axes[:, motion.parents[foot], 2, 1]
        lean = np.degrees(np.arccos(knee.clip(-1, 1)))
        low = (ankle < 0.08) & (lean < 45)
        assert tilt[low].max(initial=0) < 1e-3
        high = ankle > 0.08 + 0.15
        np.testing.assert_allclose(tilt[high], lean[high], atol=1e-6)
        assert places[:, toe, 2].min() > -0.06


def test_feet_do_not_turn_while_their_ankles_rest():
    lifted = replace(place_people(rendered('dance')), model='a lifter')
    clip = LockFeet().lock(lifted)
    places = to_world(clip, static_camera=True).places()
    positions = fit_rig(places, HUMAN_IK).positions()
    speeds = {}
    for joint in ('foot', 'toe_end'):
        pair = [HUMAN_IK.joints.index(f'{side}_{joint}') for side in ('left', 'right')]
        steps = np.diff(positions[:, pair, :2], axis=0)
        speeds[joint] = np.linalg.norm(steps, axis=-1) * clip.fps
    rests = speeds['foot'] < 0.05
    assert rests.mean() > 0.5
    assert speeds['toe_end'][rests].mean() < 0.06
