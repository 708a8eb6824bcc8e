"""Profiles of ``.bvh``: names and rest poses."""

import numpy as np
import pytest
from rendered_clips import rendered

from mmhot.lifting.world import place_people, to_world
from tools.dataset_converters.motion_files import read_bvh

# Joints of Human3.6M by their names in both profiles.
LIMBS = dict(hip='UpLeg', knee='Leg', foot='Foot')
LIMBS |= dict(shoulder='Arm', elbow='ForeArm', wrist='Hand')
NAMES = {
    f'{side}_{joint}': side.title() + name
    for side in ('left', 'right')
    for joint, name in LIMBS.items()
}


@pytest.fixture(scope='module')
def clip():
    return to_world(place_people(rendered('dance')), static_camera=True)


@pytest.mark.parametrize(
    ('profile', 'prefix', 'trunk', 'extra'),
    [
        ('default', '', 'Hips Spine Chest Neck', 'LeftHand'),
        ('mixamo', 'mixamorig:', 'Hips Spine1 Neck Head', 'LeftToeBase'),
    ],
)
def test_profiles_have_the_names_of_their_programs(
    clip, tmp_path, profile, prefix, trunk, extra
):
    joints = ('root', 'spine', 'thorax', 'neck_base')
    wanted_names = NAMES | dict(zip(joints, trunk.split(), strict=True))
    clip.save(tmp_path / 'a.bvh', bvh_profile=profile)
    motion = read_bvh(tmp_path / 'a.bvh')
    names = [name.removeprefix(prefix) for name in motion.names]
    assert extra in names
    assert motion.fps == pytest.approx(25, abs=1e-4)
    lifted = clip.places()
    for joint, name in wanted_names.items():
        wanted = lifted[:, clip.joint_names.index(joint)]
        found = motion.positions[:, names.index(name)]
        # neck and shoulders of the default one turn as a whole
        limit = 0.03 if profile == 'default' else 0.006
        assert np.linalg.norm(found - wanted, axis=-1).mean() < limit, joint
