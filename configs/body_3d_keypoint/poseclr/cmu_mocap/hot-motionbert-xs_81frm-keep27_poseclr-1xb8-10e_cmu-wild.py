_base_ = '../../hot/cmu_mocap/hot-motionbert-xs_81frm-keep27_1xb8-10e_cmu-wild.py'

# the 2D views' encoder; the head starts anew
model = dict(
    backbone=dict(
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/poseclr_hot-motionbert-xs-81frm-keep27_1xb64-30e_cmu-wild/epoch_30.pth',
            prefix='backbone',
        ),
    ),
)
