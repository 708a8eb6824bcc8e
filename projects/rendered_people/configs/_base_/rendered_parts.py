# Training in parts of an epoch from trained weights: frequent checkpoints on one core.
_base_ = ['./rendered_30e.py']

train_cfg = dict(max_epochs=24, val_interval=24)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    # constant, then falling
    dict(
        type='LinearLR',
        start_factor=1.0,
        end_factor=0.05,
        begin=12,
        end=24,
        convert_to_iter_based=True,
    ),
]
default_hooks = dict(
    checkpoint=dict(_delete_=True, type='CheckpointHook', interval=1, max_keep_ckpts=3),
    logger=dict(interval=8),
)
