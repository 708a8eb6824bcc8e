# Training on few cores, in epochs of a part of the windows, so that an interruption
# loses little.
_base_ = ['../lifting_runtime.py']

optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.01, fused=True)
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=500),
    dict(type='CosineAnnealingLR', T_max=30, eta_min=1e-6, convert_to_iter_based=True),
]
train_cfg = dict(by_epoch=True, max_epochs=30, val_interval=5)
default_hooks = dict(
    # forgets the initial weights sooner than a constant momentum
    ema=dict(type='EMAHook', ema_type='ExpMomentumEMA', momentum=1e-3, gamma=500),
    checkpoint=dict(interval=1, max_keep_ckpts=2),
)
auto_scale_lr = dict(base_batch_size=32)
randomness = dict(seed=0)
