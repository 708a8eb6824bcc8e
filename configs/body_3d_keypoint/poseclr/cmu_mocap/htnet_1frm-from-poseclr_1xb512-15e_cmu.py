_base_ = '../../htnet/cmu_mocap/htnet_1frm_1xb512-15e_cmu.py'

model = dict(
    backbone=dict(
        init_cfg=dict(
            type='Pretrained',
            prefix='backbone',
            checkpoint='work_dirs/poseclr_htnet-1frm_1xb256-30e_cmu/epoch_30.pth',
        ),
    ),
)
