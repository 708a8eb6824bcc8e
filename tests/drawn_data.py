"""Configs of topdown datasets, pointed at the drawn people."""

from pathlib import Path

from drawn_people import FOLDER
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS

import mmhot.plugin  # noqa: F401 registers what configs name

DATASETS_FOLDER = Path(__file__).parents[1] / 'configs' / '_base_' / 'datasets'


def on_drawn_people(config, detected=False):
    """Make a topdown config read the drawn people, in the main process."""
    for split in ('train', 'val', 'test'):
        loader = config[f'{split}_dataloader']
        loader.num_workers = 0
        loader.persistent_workers = False
        loader.dataset.data_root = f'{FOLDER}/'
        loader.dataset.ann_file = 'annotations.json'
        loader.dataset.data_prefix = dict(img='')
        if split != 'train':
            boxes = str(FOLDER / 'detections.json') if detected else None
            loader.dataset.bbox_file = boxes
            config[f'{split}_evaluator'].ann_file = str(FOLDER / 'annotations.json')
    return config


def dataset_config(name, **settings):
    """Read the base config of a topdown dataset."""
    config = Config.fromfile(DATASETS_FOLDER / f'{name}_topdown.py')
    return on_drawn_people(config, **settings)


def build_dataset(config):
    """Build a dataset from its config."""
    init_default_scope('mmpose')
    return DATASETS.build(config)


def leaf_config(pattern):
    """Read the only config that matches, without its data's files being there."""
    (path,) = sorted((DATASETS_FOLDER.parents[1]).glob(f'{pattern}.py'))
    return Config.fromfile(path)
