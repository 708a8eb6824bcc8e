_base_ = [
    '../../hot/cmu_mocap/tps-tri-motionbert-xs_81frm-keep27_1xb8-20e_cmu-wild.py',
    '../../../_base_/poseclr_start.py',
]

model = dict(
    backbone=dict(
        init_cfg=dict(
            _base_.poseclr_start,
            checkpoint='work_dirs/poseclr_tps-tri-motionbert-xs-81frm-keep27_1xb32-10e_cmu-wild/epoch_10.pth',
        ),
    ),
)
train_cfg = dict(max_epochs=30)
param_scheduler = _base_.param_scheduler
param_scheduler[1].T_max = 30
