"""Rotations give what SciPy's do."""

from itertools import permutations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mmhot.geometry.rotations import euler_angles, rotation_matrices, smooth_angles


@pytest.mark.parametrize('size', [0, 1e-9, 1e-3, 1, np.pi - 1e-6, np.pi, 5])
def test_angles_are_those_of_the_rotation(size):
    directions = np.random.default_rng(0).normal(size=(30, 3))
    directions[:3] = np.eye(3)
    vectors = size * directions / np.linalg.norm(directions, axis=-1, keepdims=True)
    matrices = rotation_matrices(vectors)
    for order in map(''.join, permutations('XYZ')):
        angles = euler_angles(matrices, order)
        turned = Rotation.from_euler(order, smooth_angles(angles, order))
        np.testing.assert_allclose(turned.as_matrix(), matrices, atol=1e-14)


@pytest.mark.parametrize('order', [*map(''.join, permutations('XYZ'))])
@pytest.mark.parametrize('way', [1, -1])
def test_angles_continue_beyond_a_right_angle(order, way):
    raised = way * np.arange(0.0, 151)
    wanted = np.stack([20 + raised / 10, raised, np.full(151, -30.0)], -1)
    turns = Rotation.from_euler(order, wanted, degrees=True).as_matrix()
    angles = np.degrees(smooth_angles(euler_angles(turns, order), order))
    np.testing.assert_allclose(angles, wanted, atol=1e-5)
