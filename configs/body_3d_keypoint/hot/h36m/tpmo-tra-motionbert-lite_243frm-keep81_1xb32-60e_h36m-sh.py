_base_ = '../../motionbert/h36m/motionbert-lite_243frm_1xb32-60e_h36m-sh.py'

model = dict(
    backbone=dict(
        pruner=dict(type='MotionPruner', num_keep=81, depth=1),
        recoverer=dict(type='AttentionRecoverer'),
    ),
)
