_base_ = '../../motionbert/cmu_mocap/motionbert-xs_81frm_1xb8-10e_cmu-wild.py'

model = dict(
    backbone=dict(
        pruner=dict(type='ClusterPruner', num_keep=27, depth=1),
        recoverer=dict(type='AttentionRecoverer', sine_start=True),
        init_cfg=dict(
            type='Pretrained',
            prefix='backbone',
            checkpoint='work_dirs/poseclr_hot-motionbert-xs-81frm-keep27_1xb64-30e_cmu-wild/epoch_30.pth',
        ),
    ),
)
