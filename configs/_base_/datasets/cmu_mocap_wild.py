# CMU motion capture as people film: any place in the picture, lens, distance, frame
# rate, body and detector, seen in the canonical framing.
_base_ = ['./cmu_mocap.py']

codec = dict(type='PersonCenteredPoseLifting')
train_pipeline = [
    dict(type='SeedTransforms'),
    dict(type='RandomBodyRecombination', prob=0.4),
    dict(type='RandomTimeReversal', prob=0.3),
    dict(type='RandomBoneLengths'),
    dict(type='ApproximateJoints', prob=0.5),
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
    {{_base_.flip}},
    {{_base_.pack}},
]
val_pipeline = [
    # nobody tells a lifter the lens of a video
    dict(type='ProjectToVirtualCamera', known_intrinsics=False),
    dict(type='RandomDetectorNoise', source='noisy', seed=0),
    dict(type='GenerateTarget', encoder=codec),
    {{_base_.pack}},
]
# a sample takes less time than sending it from a worker's process
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    sampler=dict(num_samples=32000),
    dataset=dict(pipeline=train_pipeline),
)
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
