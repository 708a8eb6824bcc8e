# Human3.6M in MotionBERT's units: scores as third input, targets in image space. 2D
# poses are the annotations', as in MMPose's MotionBERT; the papers use detections of a
# stacked hourglass, which MMPose does not provide. Training windows overlap by two
# thirds; frames at a clip's end that fill no window are left out.
_base_ = ['./human36m.py']

codec = dict(type='ImageSpacePoseLifting')
meta_keys = (*_base_.meta_keys, 'unit_size')
pack = dict(type='PackPoseInputs', meta_keys=meta_keys)
train_pipeline = [
    dict(type='SeedTransforms'),
    dict(type='GenerateTarget', encoder=codec),
    {{_base_.flip}},
    pack,
]
val_pipeline = [dict(type='GenerateTarget', encoder=codec), pack]
windows = dict(keypoint_2d_det_file=None, keep_rest=False)
train_dataloader = dict(
    dataset=dict(**windows, stride=81, times=1, pipeline=train_pipeline),
)
val_dataloader = dict(dataset=dict(**windows, pipeline=val_pipeline))
test_dataloader = val_dataloader
# recordings with wrong annotations, as in MMPose
wrong = ['S9_Greet', 'S9_SittingDown', 'S9_Wait_1', 'S9_Greeting', 'S9_Waiting_1']
val_evaluator = dict(type='LiftingErrorMetric', skip_list=wrong)
test_evaluator = val_evaluator
