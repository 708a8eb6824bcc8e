"""Skeletons with constant bones, fitted to joint positions."""

import re
from pathlib import Path

import numpy as np
import pytest
from mocap import H36M, KICK, joints_of, standing_pose
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

import mmhot
from mmhot.chain.options import OutputOptions
from mmhot.chain.write import export
from mmhot.io.writers.rigid_skeleton import end_errors, fit_rig, fit_rigid_skeleton
from mmhot.io.writers.rigs import BVH_PROFILES
from mmhot.lifting.world import turn
from mmhot.progress import Report
from mmhot.skeletons.joint_angles import unit_vectors
from mmhot.state import State

DATA = Path(__file__).parents[1] / 'data'


def lengths(positions):
    parents, children = np.transpose(H36M.bones)
    return np.linalg.norm(positions[:, parents] - positions[:, children], axis=-1)


def test_rotations_are_proper():
    rotations = fit_rigid_skeleton(joints_of(), H36M).rotations
    identity = np.eye(3) * np.ones((*rotations.shape[:2], 1, 1))
    assert_allclose(np.swapaxes(rotations, -1, -2) @ rotations, identity, atol=1e-9)
    assert_allclose(np.linalg.det(rotations), 1, atol=1e-9)


def test_skeleton_of_constant_bones_is_fitted_exactly():
    first = fit_rigid_skeleton(joints_of(KICK), H36M).positions()
    again = fit_rigid_skeleton(first, H36M).positions()
    assert_allclose(again, first, atol=1e-4)
    assert_allclose(lengths(first), lengths(first)[:1].repeat(len(first), 0), atol=1e-9)


def test_fit_is_equivariant_to_rigid_motion():
    positions = joints_of(KICK)
    turn = Rotation.from_euler('xyz', [0.3, -0.2, 2.0]).as_matrix()
    fitted = fit_rigid_skeleton(positions, H36M).positions()
    moved = fit_rigid_skeleton(positions @ turn.T + [1, 2, 3], H36M).positions()
    assert_allclose(moved, fitted @ turn.T + [1, 2, 3], atol=1e-5)


@pytest.fixture(scope='module')
def dance():
    """Return a lifted dance, whose forearms are 18 to 29 cm long."""
    with np.load(DATA / 'rendered_dance.npz') as given:
        keypoints = given['keypoints_2d']
    options = dict(image_size=(1280, 720), fps=25, static_camera=True)
    return turn(mmhot.lift(keypoints, **options), 'world', static_camera=True)


@pytest.mark.parametrize('name', BVH_PROFILES)
def test_hands_and_feet_stay_where_they_are(dance, name):
    """Bones are constant, wrists and ankles at most 2 cm off, without new jumps."""
    rig, places = BVH_PROFILES[name], dance.places().astype(np.float64)
    motion = fit_rig(places, rig)
    errors = end_errors(motion, rig, places)
    assert errors.max() < 0.02
    assert errors[:, :2].mean() < 0.004
    assert errors[:, 2:].mean() < 0.001
    moved = motion.positions()
    for joint in ('left_elbow', 'right_elbow', 'left_wrist', 'right_wrist'):
        path, old = moved[:, rig.joints.index(joint)], places[:, H36M.index(joint)]
        speeds, usual = (
            np.linalg.norm(np.diff(x, axis=0), axis=-1) for x in (path, old)
        )
        assert speeds.max() < 1.5 * usual.max()
    for side in ('left', 'right'):  # no limb is turned inside out
        for limb in (('shoulder', 'elbow', 'wrist'), ('hip', 'knee', 'foot')):
            bends = []
            for points, names in ((moved, rig.joints), (places, H36M.joints)):
                start, middle, end = (
                    points[:, names.index(f'{side}_{joint}')] for joint in limb
                )
                pole = middle - (start + end) / 2
                axis = unit_vectors(end - start)
                bends.append(pole - (pole * axis).sum(-1, keepdims=True) * axis)
            sides = (bends[0] * bends[1]).sum(-1)
            assert sides[np.linalg.norm(bends[1], axis=-1) > 0.03].min() > -1e-9


def test_knees_do_not_jump_where_legs_get_longer():
    """A bent knee stays where it is while the foot is from one frame on 3 cm lower."""
    places = np.repeat(standing_pose(), 60, 0).astype(float)
    knee, foot = H36M.indices(['left_knee', 'left_foot'])
    places[:, knee, 1] -= 0.12
    places[40:, foot, 2] -= 0.03
    fitted = fit_rigid_skeleton(places, H36M).positions()
    steps = np.linalg.norm(np.diff(fitted[:, knee], axis=0), axis=-1)
    assert steps.max() < 0.045  # 0.078 if the foot does not give way
    errors = np.linalg.norm(fitted[:, foot] - places[:, foot], axis=-1)
    assert errors.max() < 0.01
    assert errors[:30].max() < 1e-6


def test_files_say_what_is_left(dance, tmp_path):
    lines = []
    options = OutputOptions(formats='bvh,glb', out_dir=tmp_path)
    export(State(poses=dance), options, Report(say=lines.append))
    for line in lines:
        found = re.search(r'wrists and ankles (\d+) mm off, at most (\d+) mm', line)
        assert int(found[1]) <= 3
        assert int(found[2]) <= 20
