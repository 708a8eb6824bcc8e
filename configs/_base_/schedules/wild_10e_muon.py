# For video lifters, which learn depth late with AdamW.
_base_ = './wild_10e.py'

not_features = ('embed', 'position', 'queries', 'attn_regress', 'head.fc')
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='MuonAdamW', lr=1e-3, weight_decay=0.01),
    paramwise_cfg=dict(custom_keys={name: dict(muon=False) for name in not_features}),
)
