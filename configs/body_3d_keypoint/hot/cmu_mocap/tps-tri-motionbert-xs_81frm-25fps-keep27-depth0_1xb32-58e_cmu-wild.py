_base_ = '../../motionbert/cmu_mocap/motionbert-xs_81frm_1xb8-10e_cmu-wild.py'

# Two of three frames are dropped before the first layer.
model = dict(
    backbone=dict(
        pruner=dict(type='UniformPruner', num_keep=27, depth=0),
        recoverer=dict(type='InterpolationRecoverer'),
    ),
)
train_dataloader = dict(
    batch_size=32, dataset=dict(downsample=2), sampler=dict(num_samples=1600)
)
val_dataloader = dict(dataset=dict(downsample=2))
test_dataloader = val_dataloader
lifting = dict(fps=25.0)
# It starts from the weights of the hourglass with depth=1 (load_from).
train_cfg = dict(max_epochs=58)
optim_wrapper = dict(optimizer=dict(lr=1.5e-4))
param_scheduler = _base_.param_scheduler
param_scheduler[0].end = 30
default_hooks = dict(ema=dict(momentum=0.005, gamma=200))
auto_scale_lr = dict(base_batch_size=32)
