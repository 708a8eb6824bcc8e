"""Human3.6M and MPI-INF-3DHP in the files that other repositories publish, small."""

import pickle
from shutil import copy

import numpy as np
from scipy.spatial.transform import Rotation

from mmhot.datasets.h36m import CAMERAS
from mmhot.datasets.human36m_dataset import _USED
from mmhot.skeletons.joints import get_skeleton

CPN = 'data_2d_h36m_cpn_ft_h36m_dbb.npz'
SH = 'h36m_sh_conf_cam_source_final.pkl'
TRAIN, TEST = 'data_train_3dhp.npz', 'data_test_3dhp.npz'
LEFT, RIGHT = get_skeleton('h36m-17').left, get_skeleton('h36m-17').right
SUBJECTS = {'S1': {'WalkingDog': 20}, 'S9': {'Directions 1': 30, 'Photo': 12}}


def camera(index):
    """A camera six meters in front of the origin, by MMPose's names."""
    rotation = Rotation.from_euler('zx', [90 * index, -90], degrees=True).as_matrix()
    focal, center = np.array([1145.0, 1143.0]), np.array([512.5, 515.5])
    return dict(
        R=rotation,
        T=rotation @ [[0.0], [0.2], [-6.0]],
        f=focal[:, None],
        c=center[:, None],
        w=1000,
        h=1002 if index in (0, 3) else 1000,
        name=f'camera{index + 1}',
    )


def seen(joints, view):
    """Joints (T, K, 3) in camera axes, and their pixels."""
    joints = (joints - view['T'].ravel()) @ view['R']
    plane = joints[..., :2] / joints[..., 2:]
    return joints, plane * view['f'].ravel() + view['c'].ravel()


def recordings(num_joints=32):
    rng = np.random.default_rng(0)
    return {
        subject: {
            take: rng.normal(0, 0.4, (length, num_joints, 3))
            for take, length in takes.items()
        }
        for subject, takes in SUBJECTS.items()
    }


def write_videopose3d(folder, extra=2, left=LEFT):
    """VideoPose3D's files: detections are ``extra`` frames longer than 3D."""
    world, more = recordings(), ((0, max(extra, 0)), (0, 0), (0, 0))
    pixels = {subject: {} for subject in world}
    for subject, takes in world.items():
        for take, joints in takes.items():
            views = [seen(joints, camera(index))[1][:, _USED] for index in range(4)]
            views = [np.pad(view, more)[: len(joints) + extra] for view in views]
            pixels[subject][take] = views
    sides = [list(left), RIGHT]
    metadata = dict(layout_name='h36m', num_joints=17, keypoints_symmetry=sides)
    np.savez_compressed(folder / 'data_3d_h36m.npz', positions_3d=world)
    np.savez_compressed(folder / CPN, positions_2d=pixels, metadata=metadata)
    copy(folder / CPN, folder / 'data_2d_h36m_gt.npz')
    cameras = {(s, CAMERAS[i]): camera(i) for s in SUBJECTS for i in range(4)}
    (folder / 'cameras.pkl').write_bytes(pickle.dumps(cameras))
    return world


def write_motionbert(folder, **changes):
    """Two videos of 20 and 12 frames."""
    rng = np.random.default_rng(1)
    joints = rng.normal(0, 0.4, (32, 17, 3)) + [0, 0, 5]
    focal, center = 1150.0, [510.0, 490.0]
    pixels = joints[..., :2] / joints[..., 2:] * focal + center
    scale = focal / joints[:, :1, 2]
    depth = (joints[..., 2] - joints[:, :1, 2]) * scale
    image = np.concatenate([pixels, depth[..., None]], -1)
    videos = ['s_09_act_05_subact_02_ca_01'] * 20 + ['s_11_act_16_subact_01_ca_03'] * 12
    split = {
        'joint_2d': pixels,
        'confidence': rng.uniform(0, 1, (32, 17)),
        'joint3d_image': image,
        'camera_name': np.array(['54138969'] * 20 + ['58860488'] * 12),
        'source': videos,
        '2.5d_factor': 1000 / scale[:, 0],
        'joints_2.5d_image': image * (1000 / scale)[..., None],
    }
    split = {key: x for key, x in (split | changes).items() if x is not None}
    (folder / SH).write_bytes(pickle.dumps({'train': split, 'test': split}))
    return split


def numbered_poses(length):
    """Poses whose first coordinate is the joint's index."""
    poses = np.random.default_rng(2).normal(0, 300, (length, 17, 3)) + [0, 0, 4000]
    poses[..., 0] = np.arange(17)
    return poses


def write_3dhp(folder):
    def view(length, **more):
        joints = numbered_poses(length)
        return dict(data_3d=joints, data_2d=joints[..., :2] + 700, **more)

    train = {'S1 Seq2': [{'0': view(20), '8': view(20)}]}
    valid = np.arange(12) % 3 > 0
    test = {name: view(12, valid=valid[:, None]) for name in ('TS1', 'TS6')}
    np.savez_compressed(folder / TRAIN, data=train)
    np.savez_compressed(folder / TEST, data=test)
    return test, valid


def write_3dhp_images(folder, numbers, name='TS6_{:06}.jpg'):
    joints, names = numbered_poses(len(numbers)) / 1000, [*map(name.format, numbers)]
    write_mmpose(folder / 'images.npz', names, joints, 100 * joints[..., :2] + 700)


def write_mmpose(path, names, joints, pixels):
    """MMPose's file of images with their names, and of poses in 3D and 2D."""
    part, whole = (np.insert(x, x.shape[-1], 1, -1) for x in (pixels, joints))
    np.savez(path, imgname=names, part=part, S=whole)
