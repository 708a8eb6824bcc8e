# The released training, for all sizes.
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=5e-4, weight_decay=0.01, fused=True)
)
param_scheduler = [dict(type='ExponentialLR', gamma=0.99, by_epoch=True)]
auto_scale_lr = dict(base_batch_size=16)
randomness = dict(seed=0)
