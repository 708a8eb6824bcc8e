# The released training with a warm-up.
_base_ = ['./mixste_160e.py']

param_scheduler = [
    # Without a warm-up, AdamW's first step moves the poses by 4 m.
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, end=500),
    *_base_.param_scheduler,
]
