"""Fingers of a clip in ``.bvh`` and ``.glb``."""

import numpy as np
import pytest
from given_poses import FPS, mhr_places
from glb_files import Glb
from mocap import KICK, joints_of
from scipy.spatial.transform import Rotation

import mmhot
from mmhot.io.writers.rigs import FINGERS
from mmhot.io.writers.trc import in_y_up
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips_3d import Clip3D
from tools.dataset_converters.motion_files import read_bvh

MHR = get_skeleton('mhr-70')
FRAMES = 60


def hand(side, curl):
    """Finger joints by name, (T, 3), of a hand that points along x, palm down."""
    sign = 1 if side == 'left' else -1
    joints = {}
    for number, finger in enumerate(FINGERS):
        across = 0.02 * (2 - number)
        place = np.tile(
            [0.09 * sign if number else 0.03 * sign, 0, across], (FRAMES, 1)
        )
        joints[f'{side}_{finger}1'] = place
        direction = np.array([sign, 0.0, 0.6 * (number == 0)])
        for phalanx in (2, 3, 4):
            bend = -sign * curl[:, None] * (phalanx - 1)
            turn = Rotation.from_rotvec(bend * [0, 0, 1])
            place = place + 0.03 * turn.apply(direction)
            joints[f'{side}_{finger}{phalanx}'] = place
    return joints


@pytest.fixture(scope='module')
def clip():
    """A kick with hands that close and turn."""
    places = mhr_places(joints_of(KICK, FRAMES))
    curl = np.linspace(0, 1.2, FRAMES)
    turn = Rotation.from_euler('xyz', np.stack([curl, 2 * curl, -curl], 1))
    for side in ('left', 'right'):
        wrist = places[:, MHR.index(f'{side}_wrist')]
        for name, place in hand(side, curl).items():
            places[:, MHR.index(name)] = wrist + turn.apply(place)
    source = Clip3D.from_arrays(places, FPS, skeleton='mhr-70', axes='world')
    return mmhot.refine(source, without=['smoothing', 'feet'])


def finger_joints(clip):
    """Mixamo's name and the place (T, 3) of each finger joint."""
    places = clip.places()
    for side in ('left', 'right'):
        for finger, name in FINGERS.items():
            for number in (1, 2, 3, 4):
                joint = clip.joint_names.index(f'{side}_{finger}{number}')
                yield f'{side.title()}Hand{name}{number}', places[:, joint]


def test_bvh_has_the_fingers_under_mixamos_names(clip, tmp_path):
    clip.save(tmp_path / 'a.bvh', bvh_profile='mixamo', origin='camera')
    found = read_bvh(tmp_path / 'a.bvh')
    for name, places in finger_joints(clip):
        moved = found.positions[:, found.names.index(f'mixamorig:{name}')]
        errors = np.linalg.norm(moved - places, axis=-1)
        assert errors.max() < 0.005, name


def test_glb_has_the_fingers(clip, tmp_path):
    clip.save(tmp_path / 'a.glb', origin='camera')
    found = Glb(tmp_path / 'a.glb')
    nodes = {node.get('name'): number for number, node in enumerate(found.nodes)}
    channels = found.channels()
    for name, places in finger_joints(clip):
        for frame in (0, FRAMES - 1):
            place = found.matrices(nodes[name], channels, frame)[:3, 3]
            np.testing.assert_allclose(place, in_y_up(places[frame]), atol=0.005)


def test_lafan1_has_no_fingers(clip, tmp_path):
    clip.save(tmp_path / 'a.bvh', bvh_profile='lafan1')
    assert 'Thumb' not in (tmp_path / 'a.bvh').read_text()


def test_hands_without_extent_are_written(tmp_path):
    """All fingers of a person at one place."""
    places = mhr_places(joints_of(KICK, 10))
    wrist = MHR.indices(['left_wrist'])
    places[:, MHR.indices('left_hand')] = places[:, wrist]
    given = Clip3D.from_arrays(places, FPS, skeleton='mhr-70', axes='world')
    mmhot.refine(given, without='feet').save(tmp_path / 'a.bvh')
    assert 'nan' not in (tmp_path / 'a.bvh').read_text()
