"""Errors of joint angles."""

import numpy as np
from mocap import KICK, joints_of
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from mmhot.skeletons.joint_angles import ANGLES
from tools.lab.measure_angles import by_kind, compare

# camera axes of motion capture: x right, y down, z away
POSES = joints_of(KICK, 80)[..., [0, 2, 1]] * (1, -1, 1)


def test_equal_poses_have_no_error():
    error, centered, correlation = compare(POSES, POSES).T
    assert_allclose(error, 0, atol=1e-9)
    assert_allclose(centered, 0, atol=1e-9)
    moving = ~np.isnan(correlation)
    assert moving.sum() > 15
    assert_allclose(correlation[moving], 1)


def test_turned_people_have_another_heading_only():
    turn = Rotation.from_euler('y', 170, degrees=True)
    turned = turn.apply(POSES.reshape(-1, 3)).reshape(POSES.shape)
    rows = by_kind(compare(turned, POSES))
    assert list(rows)[:3] == list(ANGLES[:3])
    assert len(rows) == 14
    # hips, trunk and limbs do not know the heading
    for name in list(rows)[3:]:
        assert_allclose(rows[name][:2], 0, atol=1e-6)
    # both hips bend the same
    straight = compare(POSES, POSES)
    assert_allclose(by_kind(straight)['knee_angle'][:2], 0, atol=1e-9)
