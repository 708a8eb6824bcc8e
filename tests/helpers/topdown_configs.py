"""Top-down configs on the drawn people of ``tests/data/drawn_people``."""

import json

from clip_files import dump
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS
from paths import CONFIGS, DATA

import mmhot.plugin  # noqa: F401 registers what configs name

FOLDER = DATA / 'drawn_people'
DATASETS_FOLDER = CONFIGS / '_base_/datasets'
TINY_GTPT = dict(
    backbone=dict(stage_channels=(16,), stage_depth=1),
    head=dict(in_channels=16, embed_dims=32, num_heads=4),
)


def on_drawn_people(config, detected=False, annotations=FOLDER / 'annotations.json'):
    """Make a top-down config read the drawn people, in the main process."""
    for split in ('train', 'val', 'test'):
        loader = config[f'{split}_dataloader']
        loader.num_workers = 0
        loader.persistent_workers = False
        loader.dataset.data_root = f'{FOLDER}/'
        loader.dataset.ann_file = str(annotations)
        loader.dataset.data_prefix = dict(img='')
        if split != 'train':
            boxes = str(FOLDER / 'detections.json') if detected else None
            loader.dataset.bbox_file = boxes
            config[f'{split}_evaluator'].ann_file = str(annotations)
    return config


def dataset_config(name, **settings):
    """Read the base config of a top-down dataset."""
    config = Config.fromfile(DATASETS_FOLDER / f'{name}_topdown.py')
    return on_drawn_people(config, **settings)


def build_dataset(config):
    """Build a dataset from its config."""
    init_default_scope('mmpose')
    return DATASETS.build(config)


def leaf_config(pattern):
    """Read the only config that matches a pattern."""
    (path,) = sorted((DATASETS_FOLDER.parents[1]).glob(f'{pattern}.py'))
    return Config.fromfile(path)


def small_training(pattern, model=None, **data):
    """Shrink a training to crops of 96 x 128 of the drawn people, one step per epoch.

    ``data`` are arguments of :func:`on_drawn_people`.
    """
    config = on_drawn_people(leaf_config(pattern), **data)
    head = dict(input_size=(96, 128), in_featuremap_size=(24, 32))
    head['decoder'] = dict(input_size=(96, 128))
    loader = dict(batch_size=8)
    settings = dict(train_dataloader=loader, val_dataloader=loader, log_level='ERROR')
    config.merge_from_dict(dict(model=dict(head=head), **settings))
    config.merge_from_dict(dict(model=model or {}))
    for split in ('train', 'val', 'test'):
        for step in config[f'{split}_dataloader'].dataset.pipeline:
            if step.type == 'TopdownAffine':
                step.input_size = (96, 128)
            if step.type == 'GenerateTarget':
                step.encoder.input_size = (96, 128)
    return config


def overfit(config, epochs, lr=1e-3):
    """Make a training overfit to its few people, without averaging of weights."""
    augmentation = ('RandomHalfWholeBody', 'RandomBBoxScaleRotation', 'RandomFlip')
    dataset = config.train_dataloader.dataset
    dataset.pipeline = [x for x in dataset.pipeline if x.type not in augmentation]
    del config.default_hooks['ema']
    config.model.test_cfg.flip_test = False
    config.optim_wrapper.optimizer.lr = lr
    config.param_scheduler = [
        dict(type='CosineAnnealingLR', T_max=epochs, eta_min=lr / 50, by_epoch=True)
    ]
    config.train_cfg.max_epochs = config.train_cfg.val_interval = epochs
    config.default_hooks.checkpoint.interval = epochs
    return config


def first_people(folder, count):
    """Write the annotations of the first people; return the file."""
    content = json.loads((FOLDER / 'annotations.json').read_text())
    people = content['annotations'][:count]
    image_ids = {person['image_id'] for person in people}
    images = [image for image in content['images'] if image['id'] in image_ids]
    content |= dict(annotations=people, images=images)
    return dump(folder / f'{count}_people.json', content)
