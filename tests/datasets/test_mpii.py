"""GTPT on MPII: training samples and the metric."""

import json
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope, init_default_scope
from mmengine.structures import InstanceData
from mmpose.registry import DATASETS, KEYPOINT_CODECS, METRICS
from PIL import Image
from scipy.io import savemat

CONFIGS = Path(__file__).parents[2] / 'configs' / 'body_2d_keypoint' / 'gtpt' / 'mpii'


@pytest.fixture(scope='module')
def people():
    """Joints of two people, (2, 16, 2), in an image of 400 x 300 pixels."""
    rng = np.random.default_rng(0)
    return rng.uniform((100, 60), (280, 240), (2, 16, 2)).round(1)


@pytest.fixture(scope='module')
def config(people, tmp_path_factory):
    """The config, with files of these people."""
    root = tmp_path_factory.mktemp('mpii')
    (root / 'images').mkdir()
    (root / 'annotations').mkdir()
    Image.new('RGB', (400, 300), 'gray').save(root / 'images' / '0001.jpg')
    notes = [
        dict(
            image='0001.jpg',
            center=[190.0, 150.0],
            scale=1.2,
            joints=joints.tolist(),
            joints_vis=[1] * 16,
        )
        for joints in people
    ]
    for split in ('train', 'val'):
        (root / 'annotations' / f'mpii_{split}.json').write_text(json.dumps(notes))
    boxes = np.zeros((2, 2, len(people)))  # corner, coordinate, person
    boxes[1] = 50
    savemat(root / 'annotations' / 'mpii_gt_val.mat', dict(headboxes_src=boxes))
    (path,) = CONFIGS.glob('*.py')
    config = Config.fromfile(path)
    for loader in (config.train_dataloader, config.val_dataloader):
        loader.dataset.data_root = f'{root}/'
    config.val_dataloader.dataset.headbox_file = f'{root}/annotations/mpii_gt_val.mat'
    return config


def build(dataset):
    with DefaultScope.overwrite_default_scope('mmpose'):
        return DATASETS.build(deepcopy(dataset))


def test_perfect_predictions_are_all_correct(config, people):
    init_default_scope('mmpose')
    dataset = build(config.val_dataloader.dataset)
    decoder = KEYPOINT_CODECS.build(config.model.head.decoder)
    assert decoder.input_size == (256, 256)
    metric = METRICS.build(config.val_evaluator)
    metric.dataset_meta = dataset.metainfo
    for index, joints in enumerate(people):
        sample = dataset[index]['data_samples']
        sample.pred_instances = InstanceData(
            # MMPose adds the 1 that MPII counts from
            keypoints=joints[None] - 1,
            keypoint_scores=np.ones((1, 16)),
        )
        metric.process(None, [sample.to_dict()])
    assert metric.evaluate(2)['PCK'] == pytest.approx(100)
