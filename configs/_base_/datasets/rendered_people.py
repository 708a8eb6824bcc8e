# Rendered people in shards, with GTPT's labels. The augmentation is ours, for models
# that are to work on photographs.
_base_ = ['./coco_topdown.py', './photograph.py']

dataset_type = 'RenderedPeopleDataset'
data_root = 'data/'
# of keypoints that are not in the picture the model is to be unsure
_base_.codec.absent_weight = 0.3

train_pipeline = [
    dict(type='SeedTransforms'),
    dict(type='LoadImage'),
    dict(type='RandomOccluders'),
    # pictures of this size are packed crops, which end a little outside of the box
    dict(type='ExtendImageBorder', size=(192, 256)),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='RandomHalfWholeBody', prob=0.2),
    # boxes are shifted, and too large, as those of detectors and other annotators
    dict(
        type='RandomBBoxScaleRotation',
        scale_std=0.2,
        scale_limit=0.4,
        rotate_std=20.0,
        rotate_limit=45.0,
        rotate_prob=0.4,
        shift_std=0.05,
    ),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='TopdownAffine', input_size=_base_.codec.input_size),
    _base_.photograph,
    dict(type='GenerateTarget', encoder=_base_.codec),
    _base_.train_pipeline[-1],
]
# 03 ... 08 see people from the front more often, as photographs do; people_seed0 are of
# tools/lab/render_people, images_seed0 its whole images for detectors; the last
# has no people
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
        # where less of somebody is seen, somebody else is
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
