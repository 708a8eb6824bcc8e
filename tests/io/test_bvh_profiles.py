"""Profiles of ``.bvh``: names and rest poses."""

import re

import numpy as np
import pytest
from mocap import KICK, joints_of
from rendered_clips import rendered
from scipy.spatial.transform import Rotation

from mmhot.chain.lifting.world import place_people, to_world
from mmhot.io.writers.bvh import write_bvh
from mmhot.io.writers.rigid_skeleton import fit_rig
from mmhot.io.writers.rigs import BVH_PROFILES
from tools.dataset_converters.motion_files import read_bvh

# Joints of Human3.6M by their names in both profiles.
LIMBS = dict(
    hip='UpLeg', knee='Leg', foot='Foot', shoulder='Arm', elbow='ForeArm', wrist='Hand'
)
NAMES = {
    f'{side}_{joint}': side.title() + name
    for side in ('left', 'right')
    for joint, name in LIMBS.items()
}


TRUNK = dict(root='Hips', spine='Spine1', thorax='Neck', neck_base='Head')
# Joints of LAFAN1's files in order; GMR's loader needs LeftFoot, LeftToe and others.
LAFAN1 = (
    *('Hips', 'LeftUpLeg', 'LeftLeg', 'LeftFoot', 'LeftToe'),
    *('RightUpLeg', 'RightLeg', 'RightFoot', 'RightToe'),
    *('Spine', 'Spine1', 'Spine2', 'Neck', 'Head'),
    *('LeftShoulder', 'LeftArm', 'LeftForeArm', 'LeftHand'),
    *('RightShoulder', 'RightArm', 'RightForeArm', 'RightHand'),
)


@pytest.fixture(scope='module')
def clip():
    return to_world(place_people(rendered('dance')), static_camera=True)


def test_loaders_of_lafan1_find_the_joints(clip, tmp_path):
    clip.save(tmp_path / 'a.bvh', bvh_profile='lafan1', origin='camera')
    text = (tmp_path / 'a.bvh').read_text()
    # the rules of its reader: names of \w+, one order of rotations
    joints = re.findall(r'(?:ROOT|JOINT) (\w+)\n\s*{\n\s*OFFSET ([-\d. ]+)\n', text)
    assert tuple(name for name, _ in joints) == LAFAN1
    turns = re.findall(r'CHANNELS (?:3|6 Xposition Yposition Zposition) (.*)', text)
    assert turns == ['Yrotation Xrotation Zrotation'] * len(LAFAN1)
    assert 'Frame Time: 0.03333333' in text
    motion = read_bvh(tmp_path / 'a.bvh')
    places, axes = (
        {name: array[:, motion.names.index(name)] for name in LAFAN1}
        for array in (motion.positions, motion.axes)
    )
    # 25 frames per second became 30: every fifth is one of the clip
    lifted = clip.places()[:101:5]
    for joint, name in (NAMES | TRUNK).items():
        expected = lifted[:, clip.joint_names.index(joint)]
        errors = np.linalg.norm(places[name][:121:6] - expected, axis=-1)
        assert errors.mean() < 0.006, joint
    # GMR's table of offsets: x along bones; hips x up, z left; legs y, toes x forward
    for name in ('LeftLeg', 'RightFoot', 'LeftForeArm', 'RightHand'):
        x, *rest = map(float, dict(joints)[name].split())
        assert x > 20
        np.testing.assert_allclose(rest, 0, atol=1e-3)
    left = places['LeftUpLeg'] - places['RightUpLeg']
    left /= np.linalg.norm(left, axis=-1, keepdims=True)
    assert (axes['Hips'][..., 2] * left).sum(-1).min() > 0.99
    assert np.median(axes['Hips'][:, 2, 0]) > 0.9  # x of the hips is up
    assert np.median(axes['LeftLeg'][:, 2, 0]) < -0.9
    ahead = axes['Hips'][..., 1]
    assert np.median((axes['LeftLeg'][..., 1] * ahead).sum(-1)) > 0.8
    assert np.median(axes['LeftToe'][:, 2, 1]) > 0.9  # y of the toes is up
    # z of hanging arms is to the left, on both sides
    for side in ('Left', 'Right'):
        hangs = axes[f'{side}Arm'][:, 2, 0] < -0.9
        if hangs.any():
            arm = axes[f'{side}Arm'][hangs]
            assert np.median((arm[..., 2] * left[hangs]).sum(-1)) > 0.5
    height = np.median((places['LeftFoot'] - places['LeftToe'])[:, 2])
    assert 0.03 < height < 0.08


@pytest.mark.parametrize(
    ('profile', 'prefix'), [('default', ''), ('mixamo', 'mixamorig:')]
)
def test_profiles_have_the_names_of_their_programs(clip, tmp_path, profile, prefix):
    clip.save(tmp_path / 'a.bvh', bvh_profile=profile, origin='camera')
    text = (tmp_path / 'a.bvh').read_text()
    orders = re.findall(r'CHANNELS (?:3|6 Xposition Yposition Zposition) (.*)', text)
    assert orders == ['Zrotation Xrotation Yrotation'] * 22
    motion = read_bvh(tmp_path / 'a.bvh')
    names = [name.removeprefix(prefix) for name in motion.names]
    assert 'LeftToeBase' in names
    assert motion.fps == pytest.approx(25, abs=1e-4)
    lifted = clip.places()
    for joint, name in (NAMES | TRUNK).items():
        expected = lifted[:, clip.joint_names.index(joint)]
        result = motion.positions[:, names.index(name)]
        assert np.linalg.norm(result - expected, axis=-1).mean() < 0.006, joint


def test_angles_of_lafan1_step_no_further_than_joints_turn(tmp_path):
    """Joints swing over the poles of its order of axes, 2 degrees beside them."""
    rig = BVH_PROFILES['lafan1']
    motion = fit_rig(joints_of(KICK, 40), rig)
    swing = np.stack([np.full(40, 2), np.linspace(10, 170, 40), np.full(40, 5)], 1)
    joints = [rig.joints.index(joint) for joint in rig.names if 'toe' not in joint]
    for joint in joints:
        turns = Rotation.from_euler('YXZ', swing, degrees=True)
        motion.rotations[:, joint] = turns.as_matrix()
    write_bvh(motion, 25.0, tmp_path / 'a.bvh', rig)
    rows = np.loadtxt((tmp_path / 'a.bvh').read_text().splitlines()[-40:])
    assert np.abs(np.diff(rows[:, 3:], axis=0)).max() < 15
    result, expected = read_bvh(tmp_path / 'a.bvh'), motion.positions()
    for joint in joints:
        row = result.names.index(rig.names[rig.joints[joint]])
        np.testing.assert_allclose(
            result.positions[:, row], expected[:, joint], atol=1e-5
        )
