# All poses and framings, in parts of an epoch: a checkpoint every few minutes on one
# core. tools/lab/train_2d.py runs it; on a GPU with other numbers.
_base_ = [
    './gtpt-t_1xb32-30e_rendered-256x192.py',
    '../../../_base_/datasets/photograph_wide.py',
]

train_pipeline = _base_.train_pipeline
train_pipeline[6].update(rotate_prob=0.5, around_prob=0.3)
train_pipeline[9] = _base_.photograph_wide
# between what is around a crop and the crop's box
train_pipeline.insert(4, dict(type='RandomCutOff', prob=0.25))
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    sampler=dict(_delete_=True, type='PartSampler', num_samples=2048),
    dataset=dict(pipeline=train_pipeline),
)

# pass with pruning alone, from weights that know where to look
model = dict(
    head=dict(
        loss=dict(entire_weight=0.0, distill_weight=0.0), guidance=dict(weight=0.001)
    ),
)
custom_hooks = _base_.custom_hooks[:-1]
train_cfg = dict(max_epochs=24, val_interval=24)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    # the rate stays, then falls
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
