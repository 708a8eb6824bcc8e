"""Two short Human3.6M clips of random poses, in the files that MMPose prepares."""

import pickle

import numpy as np

CAMERA = '54138969'
LENGTHS = {'S9_Directions_1': 21, 'S9_Phoning': 12}


def write_files(folder):
    """Write two short clips of one person, for training and for testing."""
    rng = np.random.default_rng(0)
    total = sum(LENGTHS.values())
    joints = rng.normal(0, 0.3, (total, 17, 3)) + [0, 0, 4.5]
    focal, center = np.array([1145.0, 1143.0]), np.array([512.5, 515.5])
    pixels = joints[..., :2] / joints[..., 2:] * focal + center
    ones = np.ones((total, 17, 1))
    names = [
        f'S9/{name}.{CAMERA}/{name}.{CAMERA}_{frame + 1:06d}.jpg'
        for name, length in LENGTHS.items()
        for frame in range(length)
    ]
    annotations = folder / 'annotation_body3d'
    (annotations / 'fps50').mkdir(parents=True)
    (folder / 'joint_2d_det_files').mkdir()
    for split in ('train', 'test'):
        np.savez(
            annotations / 'fps50' / f'h36m_{split}.npz',
            imgname=np.array(names),
            center=np.full((total, 2), 500.0),
            scale=np.full(total, 4.0),
            part=np.concatenate([pixels, ones], -1),
            S=np.concatenate([joints, ones], -1),
        )
        np.save(
            folder / 'joint_2d_det_files' / f'cpn_ft_h36m_dbb_{split}.npy',
            np.concatenate([pixels + rng.normal(0, 3, pixels.shape), ones * 0.9], -1),
        )
    camera = dict(f=focal.reshape(2, 1), c=center.reshape(2, 1), w=1000, h=1002)
    with open(annotations / 'cameras.pkl', 'wb') as file:
        pickle.dump({('S9', CAMERA): camera}, file)
