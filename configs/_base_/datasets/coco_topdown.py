# Crops around the people of COCO, with GTPT's labels and released augmentation.
dataset_type = 'CocoDataset'
data_mode = 'topdown'  # for MMPose's inferencer
data_root = 'data/coco/'
codec = dict(type='GTPTLabel', input_size=(192, 256), sigma=4.0, simcc_split_ratio=2.0)

train_pipeline = [
    dict(type='SeedTransforms'),
    dict(type='LoadImage'),
    dict(type='InclusiveBBox'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='RandomHalfWholeBody'),
    dict(type='RandomBBoxScaleRotation'),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='GenerateTarget', encoder=codec),
    # Only a few keys, as sending them between processes takes time
    dict(type='PackPoseInputs', meta_keys=('id', 'img_id', 'img_path', 'flip_indices')),
]
val_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='PackPoseInputs'),
]

train_dataloader = dict(
    batch_size=64,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='topdown_collate'),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_mode=data_mode,
        ann_file='annotations/person_keypoints_train2017.json',
        data_prefix=dict(img='train2017/'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=4,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_mode=data_mode,
        ann_file='annotations/person_keypoints_val2017.json',
        # None for the annotated boxes
        bbox_file=data_root + 'person_detection_results/'
        'COCO_val2017_detections_AP_H_56_person.json',
        data_prefix=dict(img='val2017/'),
        test_mode=True,
        pipeline=val_pipeline,
    ),
)
test_dataloader = val_dataloader

# Scores are relative to the peak of a label: 0.1 here is 0.01 in the released code.
val_evaluator = dict(
    type='CocoMetric',
    ann_file=data_root + 'annotations/person_keypoints_val2017.json',
    keypoint_score_thr=0.1,
    nms_mode='oks_nms',
    nms_thr=0.9,
)
test_evaluator = val_evaluator
