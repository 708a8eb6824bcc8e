"""Profiles of ``.bvh``: names and rest poses."""

import re

import numpy as np
import pytest
from rendered_clips import rendered

from mmhot.lifting.world import place_people, to_world
from tools.dataset_converters.motion_files import read_bvh

# Joints of Human3.6M by their names in each profile.
LIMBS = dict(hip='UpLeg', knee='Leg', foot='Foot')
ARMS = dict(shoulder='Arm', elbow='ForeArm', wrist='Hand')
TRUNK = dict(root='Hips', spine='Spine1', thorax='Neck', neck_base='Head')


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


@pytest.mark.parametrize(
    ('profile', 'prefix', 'limbs', 'trunk', 'extra'),
    [
        ('default', '', LIMBS, dict(TRUNK, spine='Spine', thorax='Chest'), 'LeftHand'),
        ('mixamo', 'mixamorig:', LIMBS, TRUNK, 'LeftToeBase'),
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
    message = "bvh_profile must be one of default, mixamo, got 'maya'"
    with pytest.raises(ValueError, match=message):
        clip.save(tmp_path / 'a.bvh', bvh_profile='maya')
