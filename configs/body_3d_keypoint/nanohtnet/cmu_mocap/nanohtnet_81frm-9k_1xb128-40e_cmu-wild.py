_base_ = [
    '../../../_base_/default_runtime.py',
    '../../../_base_/datasets/cmu_mocap_wild.py',
]

model = dict(
    type='SequencePoseLifter',
    backbone=dict(
        type='NanoHTNet',
        num_frames=81,
        num_keep_frames=9,
        # an hour on two cores fits less than there is to learn: little regularisation
        spatial_drop_rate=0.0,
        temporal_drop_rate=0.0,
        proj_drop_rate=0.0,
        drop_path_rates=(0.0, 0.1),
    ),
    head=dict(type='PoseLiftingHead', in_channels=16, decoder={{_base_.codec}}),
    test_cfg=dict(flip_test=True, target='centre'),
)
# how whole clips are lifted: frame rate of the training data, frames between windows,
# and which joints stand in for those that COCO lacks
lifting = dict(fps=50.0, stride=3, mapping='trained')

# short epochs, so that little is lost when training is interrupted
train_dataloader = dict(
    batch_size=128,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(num_samples=32000),
    dataset=dict(seq_len=81, num_targets=9),
)
val_dataloader = dict(dataset=dict(seq_len=81))
test_dataloader = val_dataloader

max_epochs = 40
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=5)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.01))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=500),
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs,
        eta_min=1e-6,
        convert_to_iter_based=True,
    ),
]
custom_hooks = [
    dict(type='EpochSeedHook'),
    dict(type='EMAHook', ema_type='ExponentialMovingAverage', momentum=1e-3),
]
default_hooks = dict(
    checkpoint=dict(interval=1, max_keep_ckpts=2, save_best='noisy/MPJPE', rule='less')
)
randomness = dict(seed=0)
