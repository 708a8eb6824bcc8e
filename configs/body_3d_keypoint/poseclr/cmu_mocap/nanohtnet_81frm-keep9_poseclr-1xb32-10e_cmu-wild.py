_base_ = [
    '../../nanohtnet/cmu_mocap/nanohtnet_81frm-keep9_1xb32-10e_cmu-wild.py',
    '../../../_base_/poseclr_start.py',
]

model = dict(
    backbone=dict(
        init_cfg=dict(
            _base_.poseclr_start,
            checkpoint='work_dirs/poseclr_nanohtnet-81frm-keep9_1xb256-30e_cmu-wild/epoch_30.pth',
        ),
    ),
)
