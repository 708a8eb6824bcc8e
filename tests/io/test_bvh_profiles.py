"""Profiles of ``.bvh``: what LAFAN1's, Mixamo's and Rokoko's loaders expect."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose
from rendered_clips import rendered
from scipy.spatial.transform import Rotation

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


def read_as_lafan1(path):
    """Read a file by the rules of LAFAN1: names of \\w+, one order of rotations.

    Returns names, offsets (J, 3), global positions (T, J, 3) and rotations.
    """
    names, offsets, parents, order, rows = [], [], [], None, []
    active, is_end = -1, False
    for line in path.read_text().splitlines():
        joint = re.match(r'\s*(?:ROOT|JOINT) (\w+)$', line)
        offset = re.match(r'\s*OFFSET\s+([\-\d.e]+)\s+([\-\d.e]+)\s+([\-\d.e]+)', line)
        channels = re.match(r'\s*CHANNELS\s+(\d+) (.*)', line)
        if joint:
            names.append(joint[1])
            parents.append(active)
            active = len(names) - 1
        elif offset and not is_end:
            offsets.append([float(value) for value in offset.groups()])
        elif channels:
            words = channels[2].split()
            turns = words[3:] if channels[1] == '6' else words
            order = order or turns
            assert turns == order == ['Zrotation', 'Yrotation', 'Xrotation']
        elif 'End Site' in line:
            is_end = True
        elif '}' in line:
            active, is_end = (active, False) if is_end else (parents[active], False)
        elif re.match(r'-?\d', line):
            rows.append([float(value) for value in line.strip().split(' ')])
    rows = np.array(rows)
    angles = rows[:, 3:].reshape(len(rows) * len(names), 3)
    turns = Rotation.from_euler('ZYX', angles, degrees=True).as_matrix()
    turns = turns.reshape(len(rows), len(names), 3, 3)
    places = np.zeros((len(rows), len(names), 3))
    places[:, 0] = rows[:, :3]
    for joint, parent in list(enumerate(parents))[1:]:
        places[:, joint] = places[:, parent] + turns[:, parent] @ offsets[joint]
        turns[:, joint] = turns[:, parent] @ turns[:, joint]
    return names, np.array(offsets), places, turns


def test_loaders_of_lafan1_find_the_joints(clip, tmp_path):
    clip.save(tmp_path / 'a.bvh', bvh_profile='lafan1')
    names, offsets, places, turns = read_as_lafan1(tmp_path / 'a.bvh')
    assert tuple(names) == LAFAN1
    assert 'Frame Time: 0.03333333' in (tmp_path / 'a.bvh').read_text()
    # 25 frames per second became 30: every fifth is one of the clip
    lifted = clip.places()[:101:5][..., [0, 2, 1]] * (100, 100, -100)
    found = places[:121:6]
    for joint, name in h36m_names(LIMBS, TRUNK).items():
        wanted = lifted[:, clip.joint_names.index(joint)]
        errors = np.linalg.norm(found[:, names.index(name)] - wanted, axis=-1)
        assert errors.mean() < 0.6, joint  # centimeters
    # local axes: x along the bones, z of the hips to the left
    for name in ('LeftLeg', 'RightFoot', 'LeftForeArm', 'RightHand'):
        x, *rest = offsets[names.index(name)]
        assert x > 20
        assert_allclose(rest, 0, atol=1e-3)
    left = places[:, names.index('LeftUpLeg')] - places[:, names.index('RightUpLeg')]
    left /= np.linalg.norm(left, axis=-1, keepdims=True)
    assert (turns[:, 0, :, 2] * left).sum(-1).min() > 0.99
    assert np.median(turns[:, 0, 1, 0]) > 0.9  # x of the hips is up
    toe = turns[:, names.index('LeftToe')]
    assert np.median(toe[:, 1, 1]) > 0.9  # y of the toes is up
    ankle, ball = (places[:, names.index(f'Left{x}'), 1] for x in ('Foot', 'Toe'))
    assert 3 < np.median(ankle - ball) < 8


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
