# Muon for video lifters, which learn depth late with AdamW.
optim_wrapper = dict(
    optimizer=dict(type='MuonAdamW', lr=1e-3, weight_decay=0.01),
    # AdamW for all parameters that do not map features to features
    paramwise_cfg=dict(
        custom_keys={
            'embed': dict(muon=False),
            'position': dict(muon=False),
            'queries': dict(muon=False),
            'attn_regress': dict(muon=False),
            'head.fc': dict(muon=False),
        }
    ),
)
