# Shipped weights mmhot://rtmdet-nano_person_synth, trained on rendered scenes. Trains
# and tests on the people of COCO as it is.
_base_ = ['../../../_base_/models/rtmdet_nano.py']
custom_imports = dict(imports=['mmhot.plugin'], allow_failed_imports=False)

__size = (320, 320)
# People are smaller in real images and videos than in the training crops.
test_size = (512, 512)
__fill = dict(img=(114, 114, 114))
train_pipeline = [
    dict(type='mmpose.SeedTransforms'),
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomResize', scale=__size, ratio_range=(0.6, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=__size, allow_negative_crop=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='Pad', size=__size, pad_val=__fill),
    dict(type='PackDetInputs'),
]
val_pipeline = [
    dict(type='LoadImageFromFile'),
    # Videos are up to twelve times as large, which 'area' averages.
    dict(type='Resize', scale=test_size, keep_ratio=True, interpolation='area'),
    dict(type='Pad', size_divisor=32, pad_val=__fill),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
metainfo = dict(classes=('person',))
train_dataloader = dict(
    num_workers=2,
    pin_memory=False,
    dataset=dict(metainfo=metainfo, pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=2,
    dataset=dict(metainfo=metainfo, pipeline=val_pipeline),
)
test_dataloader = val_dataloader

train_cfg = dict(max_epochs=12, val_interval=4, dynamic_intervals=None)
optim_wrapper = dict(optimizer=dict(lr=2e-3), clip_grad=dict(max_norm=35.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=500),
    dict(type='CosineAnnealingLR', eta_min=1e-5, convert_to_iter_based=True),
]
auto_scale_lr = dict(base_batch_size=32)
custom_hooks = [
    dict(type='mmpose.EpochSeedHook'),
    dict(type='mmpose.SyncBuffersHook'),
]
default_hooks = dict(
    checkpoint=dict(interval=1, max_keep_ckpts=2),
    start=dict(type='mmpose.StartHook'),
    finite_loss=dict(type='mmpose.FiniteLossHook'),
    annotations=dict(type='mmpose.AnnotationHook'),
)
randomness = dict(seed=42)
