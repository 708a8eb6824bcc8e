_base_ = './poseclr_motionbert-xs-81frm_1xb64-30e_cmu-wild.py'

model = dict(
    backbone=dict(
        pruner=dict(type='ClusterPruner', num_keep=27, depth=1),
        recoverer=dict(type='AttentionRecoverer', sine_start=True),
    ),
)
