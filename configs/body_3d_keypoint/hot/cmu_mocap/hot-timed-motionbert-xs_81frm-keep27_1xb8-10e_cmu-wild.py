_base_ = '../../motionbert/cmu_mocap/motionbert-xs_81frm_1xb8-10e_cmu-wild.py'

model = dict(
    backbone=dict(
        pruner=dict(type='ClusterPruner', num_keep=27, depth=1),
        recoverer=dict(type='TimedAttentionRecoverer'),
    ),
)
