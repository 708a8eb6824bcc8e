# For a GPU that is lent for minutes: all scenes of data/scenes, images as large as in
# tests, and the strong photometric augmentation of GTPT's training.
_base_ = [
    './rtmdet-nano_1xb32-12e_rendered-scenes-320x320.py',
    './_base_/strong_augmentation.py',
]

size = (416, 416)
train_pipeline = _base_.train_pipeline
train_pipeline[3].update(scale=size, ratio_range=(0.5, 2.0))
train_pipeline[4].update(crop_size=size)
train_pipeline[6].update(transforms=_base_.strong_augmentation.transforms)
train_pipeline[7].update(size=size)
train_dataloader = dict(
    batch_size=128,
    num_workers=5,
    persistent_workers=True,
    pin_memory=True,
    collate_fn=dict(type='detection_collate'),
    batch_sampler=None,
    sampler=dict(_delete_=True, type='mmpose.PartialEpochSampler', num_samples=16384),
    dataset=dict(
        _delete_=True,
        type=_base_.dataset_type,
        metainfo=_base_.metainfo,
        data_root='data/scenes/',  # of join_scenes
        ann_file='annotations.json',
        data_prefix=dict(img=''),
        pipeline=train_pipeline,
    ),
)
model = dict(
    bbox_head=dict(type='BatchedTargetsHead'),
    data_preprocessor=dict(
        batch_augments=[
            dict(
                type='BatchSyncRandomResize',
                random_size_range=(288, 512),
                size_divisor=32,
                interval=1,
            )
        ],
    ),
)
train_cfg = dict(max_epochs=10000, val_interval=10000)
optim_wrapper = dict(type='mmpose.BFloat16OptimWrapper', optimizer=dict(lr=3e-3))
param_scheduler = []
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='mmpose.TimeBudgetHook', minutes=17.0),
]
default_hooks = dict(checkpoint=dict(interval=4), logger=dict(interval=20))
