"""Skeletons with constant bones, fitted to joint positions."""

from pathlib import Path

import numpy as np
import pytest
from mocap import H36M, KICK, joints_of
from scipy.spatial.transform import Rotation

import mmhot
from mmhot.io.writers.rigid_skeleton import fit_rig, fit_rigid_skeleton, joint_errors
from mmhot.io.writers.rigs import BVH_PROFILES, HUMAN_IK
from mmhot.lifting.world import turn

DATA = Path(__file__).parents[1] / 'data'


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


def test_heads_turn_about_the_neck(dance, tmp_path):
    """Noses turn heads, which stay where they are."""
    clip = mmhot.lift(DATA / 'vtest_2d_coco17.npz', joints=24, people='longest')
    places = turn(clip, 'world', static_camera=False).places().astype(np.float64)
    errors = joint_errors(fit_rig(places, HUMAN_IK), HUMAN_IK, places)
    assert errors[:, H36M.index('head')].max() < 0.02
