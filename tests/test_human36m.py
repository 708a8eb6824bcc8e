"""Configs for Human3.6M on files as MMPose prepares them."""

import pickle

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope
from mmpose.registry import DATASETS, METRICS, MODELS

CAMERA = '54138969'
NUM_FRAMES = 9
LENGTHS = {'S9_Directions_1': 21, 'S9_Phoning': 12}
SMALL = {
    'MixSTE': dict(num_frames=NUM_FRAMES, embed_dims=16, depth=4, num_heads=2),
    'MotionBERT': dict(seq_len=NUM_FRAMES, feat_size=16, depth=2, num_heads=2),
    'MHFormer': dict(num_frames=NUM_FRAMES, embed_dims=16, mlp_dims=24, num_heads=2),
    'MotionAGFormer': dict(
        num_frames=NUM_FRAMES, embed_dims=16, depth=2, num_heads=2, num_neighbours=2
    ),
}
IN_CHANNELS = {'MHFormer': 48}


def write_files(folder):
    """Two short videos of one person, and the same for training."""
    rng = np.random.default_rng(0)
    total = sum(LENGTHS.values())
    joints = rng.normal(0, 0.3, (total, 17, 3)) + [0, 0, 4.5]
    focal, centre = np.array([1145.0, 1143.0]), np.array([512.5, 515.5])
    pixels = joints[..., :2] / joints[..., 2:] * focal + centre
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
    camera = dict(f=focal.reshape(2, 1), c=centre.reshape(2, 1), w=1000, h=1002)
    with open(annotations / 'cameras.pkl', 'wb') as file:
        pickle.dump({('S9', CAMERA): camera}, file)


@pytest.fixture(
    params=[
        'mixste/h36m/mixste_243frm_1xb4-160e_h36m-cpn.py',
        'hot/h36m/hot-mixste_243frm-81k_1xb4-160e_h36m-cpn.py',
        'hot/h36m/tpc-mixste_243frm-61k_1xb4-160e_h36m-cpn.py',
        'hot/h36m/hot-motionbert-lite_243frm-81k_1xb32-60e_h36m.py',
        'mhformer/h36m/tpc-mhformer_351frm-117k_1xb210-20e_h36m-cpn.py',
        'motionagformer/h36m/hot-motionagformer-b_243frm-81k_1xb16-60e_h36m.py',
    ],
    ids=lambda name: name.split('/')[-1].split('_')[0],
)
def config(request, tmp_path, pytestconfig):
    write_files(tmp_path)
    path = pytestconfig.rootpath / 'configs/body_3d_keypoint' / request.param
    config = Config.fromfile(path)
    backbone = config.model.backbone
    backbone.update(SMALL[backbone.type])
    config.model.head.in_channels = IN_CHANNELS.get(backbone.type, 16)
    if 'pruner' in backbone:
        backbone.pruner.update(num_keep=3, depth=1)
    for split in ('train', 'val'):
        loader = config[f'{split}_dataloader']
        # each window once
        dataset = loader.dataset = loader.dataset.get('dataset', loader.dataset)
        dataset.data_root = str(tmp_path)
        if dataset.get('multiple_target'):
            dataset.update(multiple_target=NUM_FRAMES, multiple_target_step=NUM_FRAMES)
        else:
            dataset.seq_len = NUM_FRAMES
    with DefaultScope.overwrite_default_scope('mmpose'):
        yield config


def batch_of(config, split, model):
    dataset = DATASETS.build(config[f'{split}_dataloader'].dataset)
    samples = pseudo_collate([dataset[index] for index in range(len(dataset))])
    return dataset, model.data_preprocessor(samples, training=split == 'train')


def test_a_batch_is_learned_from(config):
    model = MODELS.build(config.model).train()
    dataset, batch = batch_of(config, 'train', model)
    assert len(dataset) == 3  # two windows fit into the longer video
    losses = model(**batch, mode='loss')
    assert 0 < losses['loss_pose3d'].item() < 100
    losses['loss_pose3d'].backward()
    assert all(torch.isfinite(each.grad).all() for each in model.parameters())


@torch.no_grad()
def test_errors_of_predictions_are_measured(config):
    model = MODELS.build(config.model).eval()
    dataset, batch = batch_of(config, 'val', model)
    is_centred = config.model.test_cfg.target == 'centre'
    assert len(dataset) == (sum(LENGTHS.values()) if is_centred else 3)
    metric = METRICS.build(config.val_evaluator)
    metric.dataset_meta = dataset.metainfo
    samples = model(**batch, mode='predict')
    metric.process(batch, [sample.to_dict() for sample in samples])
    errors = metric.evaluate(len(dataset))
    # an untrained model's poses are small, those of the file 0.5 m in size
    assert 200 < errors['MPJPE'] < 1500
