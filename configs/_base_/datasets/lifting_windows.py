# Windows of 243 frames; all of them are predicted. Frames beyond the end of a clip
# repeat its last one. They count in metrics, as in the released evaluations, but not in
# weighted losses. Datasets add their files.
data_mode = 'topdown'  # for MMPose's inferencer
codec = dict(type='CameraPoseLifting')
train_pipeline = [
    dict(type='SeedTransforms'),
    dict(type='GenerateTarget', encoder=codec),
    # Labels have zero at the center of the image.
    dict(
        type='RandomFlipAroundRoot',
        flip_label=True,
        keypoints_flip_cfg=dict(center_mode='static', center_x=0.0),
        target_flip_cfg=dict(center_mode='static', center_x=0.0),
    ),
    dict(type='PackLiftingInputs'),
]
val_pipeline = [
    dict(type='GenerateTarget', encoder=codec),
    dict(type='PackLiftingInputs'),
]

train_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    # Each window comes twice, as the released trainings also have its mirror image.
    dataset=dict(
        seq_len=243, num_targets=243, stride=243, times=2, pipeline=train_pipeline
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(
        seq_len=243,
        num_targets=243,
        stride=243,
        pipeline=val_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='LiftingErrorMetric', count_padding=True)
test_evaluator = val_evaluator
