_base_ = './tps-tri-motionbert-xs_81frm-25fps-keep27_1xb8-15e_cmu-wild.py'

# Two of three frames are dropped before the first layer.
model = dict(backbone=dict(pruner=dict(depth=0)))
# It starts from the weights of the base config (load_from).
train_dataloader = dict(batch_size=32, sampler=dict(num_samples=1600))
train_cfg = dict(max_epochs=58)
optim_wrapper = dict(optimizer=dict(lr=1.5e-4))
param_scheduler = _base_.param_scheduler
param_scheduler[0].end = 30
default_hooks = dict(ema=dict(momentum=0.005, gamma=200))
auto_scale_lr = dict(base_batch_size=32)
