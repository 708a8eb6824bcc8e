_base_ = [
    '../../../_base_/datasets/human36m_views.py',
    '../../../_base_/models/nanohtnet.py',
    '../../../_base_/schedules/poseclr_30e.py',
]
model = dict(
    _delete_=True,
    type='PoseCLR',
    backbone=_base_.model.backbone,
    projector=dict(in_channels=16, num_frames=9),
)
