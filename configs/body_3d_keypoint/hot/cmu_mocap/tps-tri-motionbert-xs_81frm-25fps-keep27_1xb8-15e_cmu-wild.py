_base_ = '../../motionbert/cmu_mocap/motionbert-xs_81frm_1xb8-10e_cmu-wild.py'

model = dict(
    backbone=dict(
        pruner=dict(type='UniformPruner', num_keep=27, depth=1),
        recoverer=dict(type='InterpolationRecoverer'),
    ),
)
# The same video has half as many windows, each of 3.2 s.
train_dataloader = dict(dataset=dict(downsample=2))
val_dataloader = dict(dataset=dict(downsample=2))
test_dataloader = val_dataloader
lifting = dict(fps=25.0)
# It starts from the weights of the same hourglass at 50 frames per second (load_from).
train_cfg = dict(max_epochs=15)
param_scheduler = _base_.param_scheduler
param_scheduler[0].end = 200
