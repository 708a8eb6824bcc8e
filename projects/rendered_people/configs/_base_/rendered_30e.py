# Training on rendered people, in stages of growing image size; see the README.
_base_ = ['../../../../configs/_base_/default_runtime.py', './averaging.py']
custom_imports = dict(
    imports=['mmhot.plugin', 'projects.rendered_people.training'],
    allow_failed_imports=False,
)

train_cfg = dict(by_epoch=True, max_epochs=30, val_interval=5)
optim_wrapper = dict(
    # learns more than twice as fast as AdamW per image
    optimizer=dict(type='MuonAdamW', lr=1e-3, weight_decay=0.05),
    paramwise_cfg=dict(
        norm_decay_mult=0,
        bias_decay_mult=0,
        bypass_duplicate=True,
        custom_keys={
            'human_token': dict(decay_mult=0, muon=False),
            'query_tokens': dict(decay_mult=0, muon=False),
            'dense_tokens': dict(muon=False),
            'classify_x.1.weight': dict(muon=False),
            'classify_y.1.weight': dict(muon=False),
        },
    ),
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=500),
    dict(type='CosineAnnealingLR', T_max=30, eta_min=1e-5, convert_to_iter_based=True),
]
auto_scale_lr = dict(base_batch_size=32)
custom_hooks = [
    dict(type='EpochSeedHook'),
    dict(type='SyncBuffersHook'),
    _base_.averaging,
]
default_hooks = dict(
    checkpoint=dict(interval=1, max_keep_ckpts=2, save_best='PCK', rule='greater')
)
randomness = dict(seed=42)
