_base_ = '../../mixste/cmu_mocap/mixste_81frm_1xb4-160e_cmu.py'

model = dict(
    backbone=dict(
        pruner=dict(type='ClusterPruner', num_keep=27, depth=3),
        recoverer=dict(type='AttentionRecoverer'),
    ),
)
