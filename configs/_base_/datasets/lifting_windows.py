# Windows of 243 frames, all of which are predicted. Beyond a clip's end frames are
# repeated and counted, as in the released evaluations, but not in weighted losses.
# Datasets add their files.
_base_ = ['./lifting_clips.py']

pack = dict(type='PackPoseInputs', meta_keys=_base_.meta_keys)
train_pipeline = [
    dict(type='SeedTransforms'),
    dict(type='GenerateTarget', encoder=_base_.codec),
    _base_.flip,
    pack,
]
val_pipeline = [dict(type='GenerateTarget', encoder=_base_.codec), pack]

all_frames = dict(seq_len=243, num_targets=243, stride=243)
loader = dict(batch_size=32, num_workers=2, persistent_workers=True)
train_dataloader = dict(
    **loader,
    sampler=dict(type='DefaultSampler', shuffle=True),
    # each window and its mirror image, as in the released trainings
    dataset=dict(**all_frames, times=2, pipeline=train_pipeline),
)
val_dataloader = dict(
    **loader,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(**all_frames, pipeline=val_pipeline, test_mode=True),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='LiftingErrorMetric', count_padding=True)
test_evaluator = val_evaluator
