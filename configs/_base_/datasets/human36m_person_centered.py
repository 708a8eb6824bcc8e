# Human3.6M for the shipped lifters: true 2D poses, person-centered encoding, and frames
# beyond a clip's end that do not count.
_base_ = ['./human36m.py']

codec = dict(type='PersonCenteredPoseLifting')
train_pipeline, val_pipeline = _base_.train_pipeline, _base_.val_pipeline
train_pipeline[1].encoder = val_pipeline[0].encoder = codec
train_dataloader = dict(
    dataset=dict(keypoint_2d_det_file=None, pipeline=train_pipeline)
)
val_dataloader = dict(dataset=dict(keypoint_2d_det_file=None, pipeline=val_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(count_padding=False)
test_evaluator = val_evaluator
