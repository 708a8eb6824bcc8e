_base_ = './motionagformer-xs_27frm_1xb16-60e_cmu.py'

model = dict(
    backbone=dict(
        pruner=dict(type='ClusterPruner', num_keep=9, depth=5),
        recoverer=dict(type='AttentionRecoverer'),
    ),
)
