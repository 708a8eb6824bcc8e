"""Two real motion capture clips, and windows of them as input of transforms."""

import json

import numpy as np
from mmengine.config import Config
from paths import CONFIGS, DATA
from tracks import H36M

import mmhot.plugin  # noqa: F401 registers
from mmhot.datasets.mocap_dataset import MocapDataset

FOLDER = DATA / 'cmu_mocap'
JUMP, KICK = 'S02/02_04', 'S11/11_01'
FILES = dict(ann_file='cmu_h36m17.npz', data_root=str(FOLDER))
CAMERAS = [
    {
        key: np.array(value, np.float32).squeeze() if key in 'RTfc' else value
        for key, value in camera.items()
    }
    for camera in json.loads((FOLDER / 'virtual_cameras.json').read_text())['cameras']
]


def joints_of(key=JUMP, num_frames=81):
    """Joints (T, 17, 3) in meters, z up."""
    with np.load(FOLDER / 'cmu_h36m17.npz') as clips:
        return clips[key][:num_frames]


def window(joints=None, **more):
    """One sample of a dataset: three targets in the window's middle."""
    joints = joints_of() if joints is None else joints
    middle = len(joints) // 2
    sample = dict(
        id=0,
        joints_world=joints,
        target_frames=slice(middle - 1, middle + 2),
        lifting_target_visible=np.ones((3, 17), np.float32),
        subject='S02',
        action='02_04',
        fps=50.0,
        dataset_name='gt',
        flip_indices=H36M.flip_indices,
    )
    return sample | more


def standing_pose():
    """A standing pose (1, 17, 3) in CMU's axes: facing -y, left at +x."""
    places = dict(
        root=(0, 0, 0.9),
        spine=(0, 0, 1.1),
        thorax=(0, 0, 1.4),
        neck_base=(0, -0.07, 1.5),
        head=(0, 0, 1.65),
    )
    limbs = dict(
        hip=(0.1, 0.9),
        knee=(0.1, 0.5),
        foot=(0.1, 0.08),
        shoulder=(0.2, 1.4),
        elbow=(0.3, 1.2),
        wrist=(0.3, 1.0),
    )
    for part, (x, z) in limbs.items():
        places |= {f'left_{part}': (x, 0, z), f'right_{part}': (-x, 0, z)}
    return np.array([[places[joint] for joint in H36M.joints]], np.float32)


def pixels(num_frames=81, value=500.0, height=370.0):
    """A sample of a motionless person of a given height in pixels."""
    keypoints = np.full((num_frames, 17, 2), value, np.float32)
    keypoints[..., 1] += np.linspace(0, height, 17, dtype=np.float32)
    return window(
        keypoints=keypoints, keypoints_visible=np.ones((num_frames, 17), np.float32)
    )


def dataset(**settings):
    """Windows of both clips."""
    settings = dict(seq_len=27, num_targets=3, **FILES) | settings
    return MocapDataset(**settings)


NANOHTNET = dict(backbone=dict(embed_dims=48, depth=1))


def tiny_config(name='nanohtnet*-30e_cmu-wild', model=NANOHTNET, num_samples=16):
    """Shrink a training to a smaller model on the two clips, 8 windows per step.

    The name is a pattern; ``num_samples`` are windows per epoch.
    """
    (path,) = CONFIGS.glob(f'body_3d_keypoint/*/cmu_mocap/{name}.py')
    config = Config.fromfile(path)
    dataset = dict(data_root=str(FOLDER), ann_file=FILES['ann_file'], skip_subjects=())
    small = dict(num_workers=0, persistent_workers=False, batch_size=8)
    settings = dict(
        model=model,
        train_dataloader=dict(
            **small, sampler=dict(num_samples=num_samples), dataset=dict(**dataset)
        ),
        val_dataloader=dict(**small, dataset=dict(**dataset, stride=50)),
        test_dataloader=dict(**small, dataset=dict(**dataset, stride=50)),
        train_cfg=dict(max_epochs=1, val_interval=1),
        log_level='ERROR',
    )
    config.merge_from_dict(settings)
    return config


def tiny_views():
    """Shrink PoseCLR's training to a smaller NanoHTNet and 8 moments per step."""
    (path,) = CONFIGS.glob('*/poseclr/cmu_mocap/poseclr_nanohtnet-81*.py')
    config = Config.fromfile(path)
    config.model.backbone.update(embed_dims=48, depth=1)
    config.model.queue_size = 64
    config.train_cfg.max_epochs = 1
    config.train_dataloader.sampler.num_samples = 16
    loader = config.train_dataloader
    loader.update(batch_size=8, num_workers=0, persistent_workers=False)
    loader.dataset.dataset.update(FILES, stride=40, skip_subjects=['S02'])
    config.log_level = 'ERROR'
    return config
