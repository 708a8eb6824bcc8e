_base_ = './motionagformer-b_243frm_1xb16-60e_h36m-sh.py'

# HoT's copy of its host has four heads and four neighbors.
model = dict(
    backbone=dict(
        num_heads=4,
        num_neighbors=4,
        pruner=dict(type='ClusterPruner', num_keep=81, depth=7),
        recoverer=dict(type='AttentionRecoverer'),
    ),
)
