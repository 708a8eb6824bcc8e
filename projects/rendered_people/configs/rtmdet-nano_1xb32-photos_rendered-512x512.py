# Fine-tuning on photos among rendered scenes; train_on_photos.sh runs it.
_base_ = './rtmdet-nano_1xb128-minutes_rendered-512x512.py'

train_dataloader = dict(batch_size=32, sampler=dict(num_samples=960))
train_cfg = dict(max_epochs=3, val_interval=3)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=10),
    dict(type='CosineAnnealingLR', T_max=3, eta_min=1e-5, convert_to_iter_based=True),
]
custom_hooks = _base_.custom_hooks[:-1]  # the rate falls by steps
