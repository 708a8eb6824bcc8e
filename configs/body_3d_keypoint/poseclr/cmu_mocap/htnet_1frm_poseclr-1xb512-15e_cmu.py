_base_ = [
    '../../htnet/cmu_mocap/htnet_1frm_1xb512-15e_cmu.py',
    '../../../_base_/poseclr_start.py',
]

model = dict(
    backbone=dict(
        init_cfg=dict(
            _base_.poseclr_start,
            checkpoint='work_dirs/poseclr_htnet-1frm_1xb256-30e_cmu/epoch_30.pth',
        ),
    ),
)
