_base_ = [
    '../../../_base_/lifting_runtime.py',
    '../../../_base_/datasets/cmu_mocap_wild.py',
    '../../../_base_/models/tcn.py',
    '../../../_base_/schedules/wild.py',
]
model = dict(head=dict(decoder={{_base_.codec}}))
train_dataloader = dict(batch_size=32, dataset=dict(seq_len=243, num_targets=1))
val_dataloader = dict(dataset=dict(seq_len=243))
test_dataloader = val_dataloader

# a third of the training of the shipped weights, to compare lifters by
train_cfg = dict(by_epoch=True, max_epochs=10, val_interval=5)
param_scheduler = _base_.param_scheduler
param_scheduler[1].T_max = 10
custom_hooks = [
    *_base_.custom_hooks,
    # without the initial weights, which a plain average holds on to for long
    dict(type='EMAHook', ema_type='ExpMomentumEMA', momentum=1e-3, gamma=500),
]
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=2))
