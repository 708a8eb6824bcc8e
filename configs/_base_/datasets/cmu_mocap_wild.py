# CMU motion capture as in user videos: any place in the image, lens, distance, frame
# rate, body and detector, with person-centered encoding.
_base_ = ['./cmu_mocap.py']

codec = dict(type='PersonCenteredPoseLifting')
train_pipeline = [
    dict(type='SeedTransforms'),
    dict(type='RandomBodyRecombination', prob=0.4),
    dict(type='RandomTimeReversal', prob=0.3),
    dict(type='RandomBoneLengths'),
    dict(type='RandomJointDefinition', prob=0.5),
    dict(type='RandomStraightLimbs'),
    dict(
        type='ProjectToRandomCamera',
        radius=(2.5, 8.0),
        height=(0.6, 2.4),
        aim=0.3,
        roll=4.0,
    ),
    dict(type='RandomDetectorNoise', strength=(0.2, 1.4), prob=0.8),
    dict(type='RandomFrameRate', prob=0.5),
    dict(type='GenerateTarget', encoder=codec),
    *_base_.train_pipeline[4:],
]
val_pipeline = [
    # The lens of a video is unknown.
    dict(type='ProjectToVirtualCamera', known_intrinsics=False),
    dict(type='RandomDetectorNoise', source='noisy', seed=0),
    dict(type='GenerateTarget', encoder=codec),
    _base_.val_pipeline[3],
]
train_dataloader = dict(
    num_workers=2,
    sampler=dict(num_samples=32000),
    dataset=dict(pipeline=train_pipeline),
)
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
