# Training on few cores, in epochs of a part of the windows, so that an interruption
# loses little. The learning rate falls until the last epoch, however many a leaf has.
_base_ = ['../default_runtime.py']

visualizer = dict(type='Pose3dLocalVisualizer')  # for MMPose's 3D inferencer
train_cfg = dict(by_epoch=True, val_interval=5)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=500),
    dict(type='CosineAnnealingLR', eta_min=1e-6, convert_to_iter_based=True),
]
default_hooks = dict(
    # This average forgets the initial weights sooner than a constant momentum does.
    ema=dict(type='EMAHook', ema_type='ExpMomentumEMA', momentum=1e-3, gamma=500),
    checkpoint=dict(interval=1, max_keep_ckpts=2),
)
auto_scale_lr = dict(base_batch_size=32)
randomness = dict(seed=0)
