# Training of the shipped detector on rendered scenes.
_base_ = [
    '../../../configs/detection/rtmdet/rendered/rtmdet-nano_1xb32-12e_rendered-320x320.py',
    './_base_/image_augmentation.py',
    './_base_/averaging.py',
]
custom_imports = dict(
    imports=['mmhot.plugin', 'projects.rendered_people.training'],
    allow_failed_imports=False,
)

train_pipeline = _base_.train_pipeline
# before the padding, which is constant at test time too
train_pipeline.insert(
    6,
    dict(
        type='mmpose.SeededAlbumentation',
        transforms=_base_.image_augmentation.transforms,
    ),
)
scenes = dict(type='CocoDataset', metainfo=_base_.metainfo, ann_file='annotations.json')
folders = [
    f'data/photographs/images_seed{seed}_{number:02d}/'
    for seed in (0, 2)
    for number in range(4)
]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[
            dict(
                **scenes,
                data_root=folder,
                data_prefix=dict(img='images/'),
                pipeline=train_pipeline,
            )
            for folder in folders
        ],
    ),
)
held_out = 'data/photographs/val/images_seed1_00/'
val_dataloader = dict(
    dataset=dict(
        data_root=held_out,
        ann_file='annotations.json',
        data_prefix=dict(img='images/'),
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=f'{held_out}annotations.json')
test_evaluator = val_evaluator
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='mmpose.ChannelsLastHook'),
    _base_.averaging,
]
