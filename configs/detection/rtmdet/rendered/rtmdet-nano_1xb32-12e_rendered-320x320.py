_base_ = [
    'mmdet::rtmdet/rtmdet_l_8xb32-300e_coco.py',
    '../../../_base_/datasets/photograph.py',
    '../../../_base_/schedules/averaging.py',
]
custom_imports = dict(imports=['mmhot.plugin'], allow_failed_imports=False)

# as MMPose's detector of people for small pictures, and its sizes
size = (320, 320)
# people are smaller in photographs and films than in the crops of the training
test_size = (512, 512)
model = dict(
    data_preprocessor=dict(
        batch_augments=[
            dict(
                type='BatchSyncRandomResize',
                random_size_range=(192, 320),
                size_divisor=32,
                interval=1,
            )
        ],
    ),
    backbone=dict(
        deepen_factor=0.33,
        widen_factor=0.25,
        use_depthwise=True,
        norm_cfg=dict(type='BN'),
    ),
    neck=dict(
        in_channels=[64, 128, 256],
        out_channels=64,
        num_csp_blocks=1,
        use_depthwise=True,
        norm_cfg=dict(type='BN'),
    ),
    bbox_head=dict(
        in_channels=64,
        feat_channels=64,
        num_classes=1,
        share_conv=False,
        exp_on_reg=False,
        use_depthwise=True,
        norm_cfg=dict(type='BN'),
    ),
    test_cfg=dict(
        nms_pre=1000, score_thr=0.05, nms=dict(iou_threshold=0.5), max_per_img=100
    ),
)

fill = dict(img=(114, 114, 114))
train_pipeline = [
    dict(type='mmpose.EpochSeed'),
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomResize', scale=size, ratio_range=(0.6, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=size, allow_negative_crop=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmpose.SeededAlbumentation', transforms=_base_.photograph.transforms),
    # after the effects: where there is no picture it is as clean in tests
    dict(type='Pad', size=size, pad_val=fill),
    dict(type='PackDetInputs'),
]
val_pipeline = [
    dict(type='LoadImageFromFile'),
    # films are up to twelve times as large
    dict(type='Resize', scale=test_size, keep_ratio=True, interpolation='area'),
    dict(type='Pad', size_divisor=32, pad_val=fill),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
dataset_type = 'CocoDataset'
metainfo = dict(classes=('person',))
folders = [
    f'data/photographs/images_seed{seed}_{number:02d}/'
    for seed in (0, 2)
    for number in range(4)
]
train_dataloader = dict(
    batch_size=32,
    num_workers=2,
    pin_memory=False,
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[
            dict(
                type=dataset_type,
                metainfo=metainfo,
                data_root=folder,
                ann_file='annotations.json',
                data_prefix=dict(img='images/'),
                pipeline=train_pipeline,
            )
            for folder in folders
        ],
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=2,
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        metainfo=metainfo,
        data_root='data/photographs/val/images_seed1_00/',
        ann_file='annotations.json',
        data_prefix=dict(img='images/'),
        test_mode=True,
        pipeline=val_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    ann_file='data/photographs/val/images_seed1_00/annotations.json'
)
test_evaluator = val_evaluator

train_cfg = dict(max_epochs=12, val_interval=4, dynamic_intervals=None)
optim_wrapper = dict(optimizer=dict(lr=2e-3), clip_grad=dict(max_norm=35.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=500),
    dict(type='CosineAnnealingLR', T_max=12, eta_min=1e-5, convert_to_iter_based=True),
]
auto_scale_lr = dict(base_batch_size=32)
custom_hooks = [
    dict(type='mmpose.EpochSeedHook'),
    dict(type='mmpose.SyncBuffersHook'),
    dict(type='mmpose.ChannelsLastHook'),
    _base_.averaging,
]
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=2))
randomness = dict(seed=42)
