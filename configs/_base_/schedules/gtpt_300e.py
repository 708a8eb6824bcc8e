# The released training: no warm-up, no weight decay (its config lists 1e-4 without
# using it), and a learning rate that falls one epoch before the listed 200 and 260. The
# moving average is evaluated and saved.
_base_ = ['../default_runtime.py']

train_cfg = dict(by_epoch=True, max_epochs=300, val_interval=5)
optim_wrapper = dict(optimizer=dict(type='Adam', lr=1e-3, fused=True))
param_scheduler = [
    dict(type='MultiStepLR', milestones=[199, 259], gamma=0.1, by_epoch=True)
]
auto_scale_lr = dict(base_batch_size=256)
default_hooks = dict(
    ema=dict(
        type='EMAHook',
        ema_type='CosineMomentumEMA',
        momentum=0.004,
        update_buffers=True,
    ),
    checkpoint=dict(interval=5, max_keep_ckpts=2, rule='greater'),
)
randomness = dict(seed=42)
