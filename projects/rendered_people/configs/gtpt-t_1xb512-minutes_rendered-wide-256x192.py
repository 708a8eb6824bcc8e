# For a GPU that is lent for minutes: the rate falls by the clock.
_base_ = './gtpt-t_1xb32-parts_rendered-wide-256x192.py'

train_dataloader = dict(
    batch_size=512,
    num_workers=11,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(num_samples=65536),
)
train_cfg = dict(max_epochs=10000, val_interval=10000)
optim_wrapper = dict(type='mmpose.BFloat16OptimWrapper', optimizer=dict(lr=2e-3))
param_scheduler = []
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='TimeBudgetHook', minutes=15.0),
    dict(type='FreezeHook', modules=[]),  # to fine-tune: those that stay as they are
]
