# CMU motion capture in the published lifters' units: cameras like Human3.6M's, pointed
# at the person, pixels divided by the image width. See docs/data.md for the files.
dataset_type = 'MocapDataset'
data_mode = 'topdown'  # for MMPose's inferencer
data_root = 'data/cmu_mocap/'
codec = dict(type='CameraPoseLifting')

train_pipeline = [
    dict(type='SeedTransforms'),
    dict(type='ProjectToRandomCamera', aim=0.3),
    dict(type='RandomDetectorNoise', prob=0.5),
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
    dict(type='ProjectToVirtualCamera'),
    dict(type='RandomDetectorNoise', source='noisy', seed=0),
    dict(type='GenerateTarget', encoder=codec),
    dict(type='PackLiftingInputs'),
]

train_dataloader = dict(
    batch_size=256,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='SubjectBalancedSampler', num_samples=102400),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file=['cmu_h36m17.npz', 'cmu_h36m17_more.npz'],
        split_file='cmu_split.json',
        split=['train', 'unlisted'],
        # This subject's rig is from a third party, with other joints of spine and neck.
        skip_subjects=['S85'],
        seq_len=243,
        num_targets=9,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=256,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='cmu_h36m17.npz',
        split_file='cmu_split.json',
        split='val',
        camera_file='virtual_cameras.json',
        sources=['gt', 'noisy'],
        actions={
            'S02/02_01': 'walk',
            'S02/02_02': 'walk',
            'S02/02_03': 'run',
            'S02/02_04': 'jump',
            'S02/02_05': 'punch',
            'S02/02_06': 'bend',
            'S02/02_07': 'swordplay',
            'S02/02_08': 'swordplay',
            'S02/02_09': 'swordplay',
            'S02/02_10': 'wash',
        },
        seq_len=243,
        num_targets=1,
        stride=5,
        pipeline=val_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
# Errors are averaged over frames, as a few actions of one subject are not a benchmark.
test_evaluator = dict(type='LiftingErrorMetric', average='frames')
val_evaluator = [dict(measures=['MPJPE', 'P-MPJPE'], **test_evaluator)]
