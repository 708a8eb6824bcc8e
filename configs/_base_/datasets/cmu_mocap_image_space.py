# CMU motion capture in MotionBERT's units, see human36m_image_space.py. The virtual
# cameras' lenses are known.
_base_ = ['./cmu_mocap.py']

codec = dict(type='ImageSpacePoseLifting')
meta_keys = (*_base_.meta_keys, 'unit_size')
pack = dict(type='PackPoseInputs', meta_keys=meta_keys)
train_pipeline = [
    *_base_.train_pipeline[:3],
    dict(type='GenerateTarget', encoder=codec),
    {{_base_.flip}},
    pack,
]
val_pipeline = [
    *_base_.val_pipeline[:2],
    dict(type='GenerateTarget', encoder=codec),
    pack,
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
