_base_ = '../../nanohtnet/cmu_mocap/nanohtnet_81frm-keep9_1xb32-30e_cmu-wild.py'

model = dict(
    backbone=dict(
        init_cfg=dict(
            type='Pretrained',
            prefix='backbone',
            checkpoint='work_dirs/poseclr_nanohtnet-81frm-keep9_1xb256-30e_cmu-wild/epoch_30.pth',
        ),
    ),
)
train_cfg = dict(max_epochs=10)
