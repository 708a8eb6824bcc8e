# Rendered people in shards, with GTPT's labels and augmentation for transfer to real
# images.
_base_ = [
    '../../../../configs/_base_/datasets/coco_topdown.py',
    './image_augmentation.py',
]

dataset_type = 'RenderedPeopleDataset'
data_root = 'data/'
# teaches low confidence for keypoints outside of the image
_base_.codec.absent_weight = 0.3

train_pipeline = [
    dict(type='SeedTransforms'),
    dict(type='LoadImage'),
    dict(type='RandomOccluders'),
    # images of this size are packed crops, which end close to the box
    dict(type='ExtendImageBorder', size=(192, 256)),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='RandomHalfWholeBody', prob=0.2),
    # boxes of detectors and other annotators are shifted and too large
    dict(
        type='RandomBBoxPlacement',
        scale_std=0.2,
        scale_limit=0.4,
        rotate_std=20.0,
        rotate_limit=45.0,
        rotate_prob=0.4,
        shift_std=0.05,
    ),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='TopdownAffine', input_size=_base_.codec.input_size),
    _base_.image_augmentation,
    dict(type='GenerateTarget', encoder=_base_.codec),
    _base_.train_pipeline[-1],
]
# 03 ... 08 show people from the front more often, as real images do; people_seed0 and
# images_seed0 (whole images) are rendered by this project; the last has no people
shards = [f'rendered_people/train/train_{number:02d}.npz' for number in range(9)]
shards += [f'people/people_seed0_{number:02d}.npz' for number in range(7)]
shards += [f'people/images_seed0_{number:02d}.npz' for number in range(4)]
shards += ['scenery/train.npz']
train_dataloader = dict(
    batch_size=32,
    num_workers=2,
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        data_root=data_root,
        data_mode='topdown',
        ann_file=shards,
        min_keypoints=0,
        # with fewer visible keypoints, the crop shows mostly the occluder
        min_visible=4,
        hidden_weight=0.5,
        complete=True,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    num_workers=2,
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        data_root=data_root,
        data_mode='topdown',
        ann_file='rendered_people/train/val_00.npz',
        test_mode=True,
        pipeline=_base_.val_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='CocoMetric', keypoint_score_thr=0.1, nms_mode='none'),
    dict(type='PCKAccuracy', thr=0.1),
]
test_evaluator = val_evaluator
