# Moving average for short trainings, including the statistics of batch normalization.
averaging = dict(
    type='EMAHook',
    ema_type='ExpMomentumEMA',
    momentum=4e-3,
    gamma=100,
    update_buffers=True,
)
