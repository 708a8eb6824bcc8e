_base_ = '../../nanohtnet/cmu_mocap/nanohtnet_81frm-keep9_1xb32-10e_cmu-wild.py'

# the 2D views' encoder; the head starts anew
model = dict(
    backbone=dict(
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/poseclr_nanohtnet-81frm-keep9_1xb256-30e_cmu-wild/epoch_30.pth',
            prefix='backbone',
        ),
    ),
)
