# The moving average of a short training, with the statistics of batch normalizations,
# which do not fit without it.
averaging = dict(
    type='EMAHook',
    ema_type='ExpMomentumEMA',
    momentum=4e-3,
    gamma=100,
    update_buffers=True,
)
