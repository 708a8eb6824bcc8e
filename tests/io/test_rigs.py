"""Rigs of animation programs, fitted to Human3.6M's joints."""

from dataclasses import replace

import numpy as np
import pytest
from mocap import JUMP, KICK, joints_of
from rendered_clips import rendered

from mmhot.io.writers.rigid_skeleton import fit_rig
from mmhot.io.writers.rigs import BVH_PROFILES, HUMAN_IK
from mmhot.lifting.world import place_people, to_world
from mmhot.poses.foot_lock import LockFeet

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
    positions = joints_of(KICK, 150)
    motion = fit_rig(positions, HUMAN_IK)
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
