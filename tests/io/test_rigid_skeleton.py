"""Skeletons with constant bones, fitted to joint positions."""

import numpy as np
from mocap import H36M, KICK, joints_of
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from mmhot.io.writers.rigid_skeleton import fit_rigid_skeleton


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
