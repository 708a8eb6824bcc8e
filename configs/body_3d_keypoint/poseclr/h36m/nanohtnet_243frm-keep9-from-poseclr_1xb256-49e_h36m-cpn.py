_base_ = '../../nanohtnet/h36m/nanohtnet_243frm-keep9_1xb256-49e_h36m-cpn.py'

model = dict(
    backbone=dict(
        init_cfg=dict(
            type='Pretrained',
            prefix='backbone',
            checkpoint='work_dirs/poseclr_nanohtnet-243frm-keep9_1xb256-30e_h36m-cpn/epoch_30.pth',
        ),
    ),
)
