_base_ = '../../motionbert/cmu_mocap/motionbert-xs_81frm_1xb8-10e_cmu-wild.py'

model = dict(
    backbone=dict(
        init_cfg=dict(
            type='Pretrained',
            prefix='backbone',
            checkpoint='work_dirs/poseclr_motionbert-xs-81frm_1xb64-30e_cmu-wild/epoch_30.pth',
        ),
    ),
)
