_base_ = '../../motionagformer/h36m/motionagformer-b_243frm_1xb16-60e_h36m-sh.py'

# our steps of the pyramid: the paper's are not known to us
model = dict(
    backbone=dict(
        pruner=[
            dict(type='ClusterPruner', num_keep=121, depth=4),
            dict(type='ClusterPruner', num_keep=61, depth=8),
        ],
        recoverer=dict(type='AttentionRecoverer'),
    ),
)
