_base_ = '../../motionbert/cmu_mocap/motionbert-xs_81frm_1xb8-10e_cmu-wild.py'

model = dict(
    backbone=dict(
        pruner=dict(type='UniformPruner', num_keep=27, depth=1),
        recoverer=dict(type='InterpolationRecoverer'),
        init_cfg=dict(
            type='Pretrained',
            prefix='backbone',
            checkpoint='work_dirs/poseclr_tps-tri-motionbert-xs-81frm-keep27_1xb32-10e_cmu-wild/epoch_10.pth',
        ),
    ),
)
train_cfg = dict(max_epochs=30)
