_base_ = [
    '../../nanohtnet/h36m/nanohtnet_243frm-keep9_1xb256-49e_h36m-cpn.py',
    '../../../_base_/poseclr_start.py',
]

model = dict(
    backbone=dict(
        init_cfg=dict(
            _base_.poseclr_start,
            checkpoint='work_dirs/poseclr_nanohtnet-243frm-keep9_1xb256-30e_h36m-cpn/epoch_30.pth',
        ),
    ),
)
