"""Motion capture in BVH, ASF/AMC and C3D files, converted to clips."""

import json
from pathlib import Path

import numpy as np
import pytest
from mocap import FOLDER, H36M, JUMP, KICK, joints_of
from scipy.spatial.transform import Rotation

from mmhot.geometry.keypoint_arrays import bone_lengths
from tools.dataset_converters.convert_mocap import (
    LAYOUTS,
    convert_motion,
    read_layout,
    resample_joints,
    select_joints,
)
from tools.dataset_converters.motion_files import (
    JointMotion,
    read_bvh,
    read_c3d,
    read_motion,
)

BVH = """HIERARCHY
ROOT Hips
{
  OFFSET 1 2 3
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Leg
  {
    OFFSET 0 -10 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 0 0 5
    }
  }
  JOINT Arm
  {
    OFFSET 4 0 0
    CHANNELS 1 Yrotation
  }
}
MOTION
Frames: 2
Frame Time: 0.02
0 100 0 0 0 0 0 0 0 0
10 100 20 90 0 0 0 90 0 30
"""


def write(path, text):
    path.write_text(text)
    return path


def test_bvh_has_the_hand_computed_positions(tmp_path):
    motion = read_bvh(write(tmp_path / 'a.bvh', BVH))
    assert motion.names == ('Hips', 'Leg', 'Leg.end', 'Arm')
    assert motion.fps == pytest.approx(50)
    # x, -z, y: y up becomes z up, centimeters become meters
    rest = [[0, 0, 1], [0, 0, 0.9], [0, -0.05, 0.9], [0.04, 0, 1]]
    np.testing.assert_allclose(motion.positions[0], rest, atol=1e-9)
    # turned by 90 degrees about z, the leg points along x; bent by 90 degrees about
    # its own x, its end, along z at rest, then points back, along -y: also along +x
    turned = [[0.1, -0.2, 1], [0.2, -0.2, 1], [0.25, -0.2, 1], [0.1, -0.2, 1.04]]
    np.testing.assert_allclose(motion.positions[1], turned, atol=1e-9)
    # in the file's axes
    ours = Rotation.from_euler('x', 90, degrees=True).as_matrix()
    arm = Rotation.from_euler('yz', [30, 90], degrees=True).as_matrix()
    np.testing.assert_allclose(motion.axes[1, 3], ours @ arm, atol=1e-9)


LEGS = 'JOINT Leg\n  {', 'JOINT Left Up Leg {'


@pytest.mark.parametrize(
    ('changes', 'leg'),
    [
        ([LEGS], 'Left Up Leg'),
        ([('Frames: ', 'Frames:'), ('Time: ', 'Time:')], 'Leg'),
        ([('Frames: ', 'Frames :\t'), ('Time: ', 'Time :\t')], 'Leg'),
    ],
    ids=['spaces in a name', 'no space', 'tabs'],
)
def test_spaces_of_bvh_vary(changes, leg, tmp_path):
    text = BVH
    for old, new in changes:
        text = text.replace(old, new)
    motion = read_bvh(write(tmp_path / 'a.bvh', text))
    assert motion.names == ('Hips', leg, f'{leg}.end', 'Arm')
    plain = read_bvh(write(tmp_path / 'b.bvh', BVH))
    np.testing.assert_allclose(motion.positions, plain.positions)


# The first two frames of the training data's clip S11/11_01.
CMU_FRAMES = {
    'root': [[0.66148, 2.230114, 0.887948], [0.65892, 2.22879, 0.89121]],
    'right_foot': [[0.481582, 2.300222, 0.100228], [0.488743, 2.287578, 0.104171]],
    'neck_base': [[0.66873, 2.187428, 1.51086], [0.666407, 2.1835, 1.515736]],
    'head': [[0.671325, 2.206964, 1.636127], [0.671336, 2.20236, 1.641036]],
    'left_wrist': [[0.845363, 2.079173, 0.791762], [0.843606, 2.07394, 0.795545]],
    'right_wrist': [[0.475245, 2.334199, 0.820904], [0.474009, 2.336158, 0.823892]],
}


def test_cmus_files_give_the_training_data():
    path = FOLDER / '11_01.amc'
    clips = convert_motion(read_motion(path), path, min_frames=1)
    joints = clips['S11/11_01']
    assert joints.dtype == np.float32
    assert joints.shape == (2, 17, 3)
    for name, places in CMU_FRAMES.items():
        np.testing.assert_allclose(joints[:, H36M.index(name)], places, atol=6e-6)


def c3d_file(path, labels, positions, **more):
    ezc3d = pytest.importorskip('ezc3d')
    content = ezc3d.c3d()
    content['parameters']['POINT']['RATE']['value'] = [100.0]
    content['parameters']['POINT']['LABELS']['value'] = list(labels)
    content['parameters']['POINT']['UNITS']['value'] = ['mm']
    points = np.ones((4, *positions.shape[1::-1]))
    points[:3] = np.moveaxis(positions, -1, 0).swapaxes(1, 2)
    content['data']['points'] = points
    content.write(str(path))


def test_c3d_gives_the_joints_at_the_clips_frame_rate(tmp_path):
    joints = joints_of(JUMP, 41).astype(np.float64)
    labels = [f'{name}_c' for name in H36M.joints]
    c3d_file(tmp_path / 'jump.c3d', labels, 1000 * joints)
    motion = read_c3d(tmp_path / 'jump.c3d')
    assert motion.fps == 100
    np.testing.assert_allclose(motion.positions, joints, atol=1e-6)
    layout = write(
        tmp_path / 'joints.json',
        json.dumps(dict(zip(H36M.joints, labels, strict=True))),
    )
    places, path = read_layout(layout), tmp_path / 'jump.c3d'
    (name, clip), *_ = convert_motion(motion, path, places, min_frames=1).items()
    assert name == f'{tmp_path.name}/jump'
    np.testing.assert_allclose(clip, joints[::2], atol=1e-5)


@pytest.mark.parametrize('layout', LAYOUTS)
def test_layouts_are_recognized_by_their_joints(layout):
    places = LAYOUTS[layout]
    names = sorted({name for place in places.values() for name in place.names})
    rng = np.random.default_rng(0)
    positions = rng.normal(size=(3, len(names), 3))
    axes = Rotation.random(3 * len(names), random_state=0).as_matrix()
    axes = axes.reshape(3, len(names), 3, 3)
    joints = select_joints(JointMotion(tuple(names), positions, 50, axes))
    for index, joint in enumerate(H36M.joints):
        place = places[joint]
        wanted = positions[:, [names.index(name) for name in place.names]].mean(1)
        if place.forward:
            wanted += 0.065 * axes[:, names.index(place.axes)] @ [0, 0, 1]
        np.testing.assert_allclose(joints[:, index], wanted)


def test_resampled_limbs_keep_their_lengths():
    joints = joints_of(KICK, 121).astype(np.float64)
    resampled = resample_joints(joints, 120, 50)
    assert len(resampled) == 51
    np.testing.assert_allclose(resampled[10], joints[24], atol=1e-4)
    limbs = [
        j - 1 for group in ('right_leg', 'left_arm') for j in H36M.indices(group)[1:]
    ]
    lengths = bone_lengths(resampled, H36M.bones)[:, limbs]
    np.testing.assert_allclose(lengths, lengths[:1].repeat(51, 0), atol=1e-4)


def test_pieces_are_numbered():
    joints, path = joints_of(KICK, 120).astype(np.float64), Path('a_1.bvh')
    joints[60, 5] += 0.3
    joints[100, 3] = np.nan
    motion = JointMotion(H36M.joints, joints, 50)
    whole = convert_motion(motion, path, min_frames=1)
    assert {key: len(clip) for key, clip in whole.items()} == {
        'a/a_1_p0': 100,
        'a/a_1_p1': 19,
    }
    cut = convert_motion(motion, path, cut_glitches=True, min_frames=30)
    assert {key: len(clip) for key, clip in cut.items()} == {
        'a/a_1_p0': 55,
        'a/a_1_p1': 34,
    }
