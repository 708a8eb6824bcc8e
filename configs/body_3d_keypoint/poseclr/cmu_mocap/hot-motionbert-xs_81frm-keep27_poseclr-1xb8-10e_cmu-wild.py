_base_ = [
    '../../hot/cmu_mocap/hot-motionbert-xs_81frm-keep27_1xb8-10e_cmu-wild.py',
    '../../../_base_/poseclr_start.py',
]

model = dict(
    backbone=dict(
        init_cfg=dict(
            _base_.poseclr_start,
            checkpoint='work_dirs/poseclr_hot-motionbert-xs-81frm-keep27_1xb64-30e_cmu-wild/epoch_30.pth',
        ),
    ),
)
