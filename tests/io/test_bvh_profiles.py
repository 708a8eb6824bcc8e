"""Profiles of ``.bvh``: what LAFAN1's, Mixamo's and Rokoko's loaders expect."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose
from rendered_clips import rendered

from mmhot.lifting.world import place_people, to_world
from tools.dataset_converters.motion_files import read_bvh

LAFAN1 = (
    *('Hips', 'LeftUpLeg', 'LeftLeg', 'LeftFoot', 'LeftToe'),
    *('RightUpLeg', 'RightLeg', 'RightFoot', 'RightToe'),
    *('Spine', 'Spine1', 'Spine2', 'Neck', 'Head'),
    *('LeftShoulder', 'LeftArm', 'LeftForeArm', 'LeftHand'),
    *('RightShoulder', 'RightArm', 'RightForeArm', 'RightHand'),
)
# Joints of Human3.6M by their names in each profile.
LIMBS = dict(hip='UpLeg', knee='Leg', foot='Foot')
ARMS = dict(shoulder='Arm', elbow='ForeArm', wrist='Hand')
TRUNK = dict(root='Hips', spine='Spine1', thorax='Neck', neck_base='Head')
ROKOKO = dict(LIMBS, hip='Thigh', knee='Shin')


def h36m_names(limbs, trunk):
    parts = [
        (side, *part)
        for side in ('left', 'right')
        for part in {**limbs, **ARMS}.items()
    ]
    names = {f'{side}_{joint}': side.title() + name for side, joint, name in parts}
    return {**trunk, **names}


@pytest.fixture(scope='module')
def clip():
    return to_world(place_people(rendered('dance')), static_camera=True)


def test_loaders_of_lafan1_find_the_joints(clip, tmp_path):
    clip.save(tmp_path / 'a.bvh', bvh_profile='lafan1')
    text = (tmp_path / 'a.bvh').read_text()
    # the rules of its reader: names of \w+, one order of rotations
    joints = re.findall(r'(?:ROOT|JOINT) (\w+)\n\s*{\n\s*OFFSET ([-\d. ]+)\n', text)
    assert tuple(name for name, _ in joints) == LAFAN1
    turns = re.findall(r'CHANNELS (?:3|6 Xposition Yposition Zposition) (.*)', text)
    assert turns == ['Zrotation Yrotation Xrotation'] * len(LAFAN1)
    assert 'Frame Time: 0.03333333' in text
    motion = read_bvh(tmp_path / 'a.bvh')
    places, axes = (
        {name: array[:, motion.names.index(name)] for name in LAFAN1}
        for array in (motion.positions, motion.axes)
    )
    # 25 frames per second became 30: every fifth is one of the clip
    lifted = clip.places()[:101:5]
    for joint, name in h36m_names(LIMBS, TRUNK).items():
        wanted = lifted[:, clip.joint_names.index(joint)]
        errors = np.linalg.norm(places[name][:121:6] - wanted, axis=-1)
        assert errors.mean() < 0.006, joint
    # local axes: x along the bones, z of the hips to the left
    for name in ('LeftLeg', 'RightFoot', 'LeftForeArm', 'RightHand'):
        x, *rest = map(float, dict(joints)[name].split())
        assert x > 20
        assert_allclose(rest, 0, atol=1e-3)
    left = places['LeftUpLeg'] - places['RightUpLeg']
    left /= np.linalg.norm(left, axis=-1, keepdims=True)
    assert (axes['Hips'][..., 2] * left).sum(-1).min() > 0.99
    assert np.median(axes['Hips'][:, 2, 0]) > 0.9  # x of the hips is up
    assert np.median(axes['LeftToe'][:, 2, 1]) > 0.9  # y of the toes is up
    height = np.median((places['LeftFoot'] - places['LeftToe'])[:, 2])
    assert 0.03 < height < 0.08


@pytest.mark.parametrize(
    ('profile', 'prefix', 'limbs', 'trunk', 'extra'),
    [
        ('default', '', LIMBS, dict(TRUNK, spine='Spine', thorax='Chest'), 'LeftHand'),
        ('mixamo', 'mixamorig:', LIMBS, TRUNK, 'LeftToeBase'),
        ('rokoko', '', ROKOKO, dict(TRUNK, spine='Spine2'), 'Spine4'),
    ],
)
def test_profiles_have_the_names_of_their_programs(
    clip, tmp_path, profile, prefix, limbs, trunk, extra
):
    if profile == 'default':
        trunk['neck_base'] = 'Neck'
    clip.save(tmp_path / 'a.bvh', bvh_profile=profile)
    motion = read_bvh(tmp_path / 'a.bvh')
    names = [name.removeprefix(prefix) for name in motion.names]
    assert extra in names
    assert motion.fps == pytest.approx(25, abs=1e-4)
    lifted = clip.places()
    for joint, name in h36m_names(limbs, trunk).items():
        wanted = lifted[:, clip.joint_names.index(joint)]
        found = motion.positions[:, names.index(name)]
        # neck and shoulders of the default one turn as a whole
        limit = 0.03 if profile == 'default' else 0.006
        assert np.linalg.norm(found - wanted, axis=-1).mean() < limit, joint


def test_rest_pose_of_mixamo_is_a_t_pose(clip, tmp_path):
    clip.save(tmp_path / 'a.bvh', bvh_profile='mixamo')
    text = (tmp_path / 'a.bvh').read_text()
    offsets = {
        name: [float(value) for value in offset.split()]
        for name, offset in re.findall(r'mixamorig:(\w+)\n.*\n\s*OFFSET (.*)', text)
    }
    assert len(offsets) == 22
    assert offsets['LeftForeArm'][0] > 20 > -20 > offsets['RightForeArm'][0]
    assert offsets['LeftLeg'][1] < -30
    assert offsets['LeftToeBase'][2] > 10


def test_other_profiles_are_refused(clip, tmp_path):
    message = "bvh_profile must be one of default, lafan1, mixamo, rokoko, got 'maya'"
    with pytest.raises(ValueError, match=message):
        clip.save(tmp_path / 'a.bvh', bvh_profile='maya')
