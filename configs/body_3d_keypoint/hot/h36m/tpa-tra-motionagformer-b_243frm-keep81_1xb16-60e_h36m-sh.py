_base_ = '../../motionagformer/h36m/motionagformer-b_243frm_1xb16-60e_h36m-sh.py'

model = dict(
    backbone=dict(
        pruner=dict(type='AttentionPruner', num_keep=81, depth=7),
        recoverer=dict(type='AttentionRecoverer'),
    ),
)
