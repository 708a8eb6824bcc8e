# CMU motion capture in MotionBERT's units, see human36m_image_space.py. The virtual
# cameras' lenses are known.
_base_ = ['./cmu_mocap.py']

codec = dict(type='ImageSpacePoseLifting')
train_pipeline, val_pipeline = _base_.train_pipeline, _base_.val_pipeline
train_pipeline[3].encoder = val_pipeline[2].encoder = codec
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
