_base_ = [
    '../../../_base_/datasets/cmu_mocap_views.py',
    '../../../_base_/models/htnet.py',
    '../../../_base_/schedules/poseclr_30e.py',
]
model = dict(
    _delete_=True,
    type='PoseCLR',
    backbone=_base_.model.backbone,
    projector=dict(in_channels=240, num_frames=1),
    # half a second: neighboring frames hardly differ
    exclusion_radius=25,
)
frame = dict(seq_len=1, num_targets=1)
codec = dict(_delete_=True, type='CameraPoseLifting')
encode = dict(type='GenerateTarget', encoder=dict(type='CameraPoseLifting'))
view, test_view = _base_.train_dataloader, _base_.val_dataloader
pipeline = [*view.dataset.dataset.pipeline[:-2], encode, _base_.pack]
train_dataloader = dict(dataset=dict(dataset=dict(**frame, pipeline=pipeline)))
pipeline = [*test_view.dataset.dataset.pipeline[:-2], encode, _base_.pack]
val_dataloader = dict(dataset=dict(dataset=dict(**frame, pipeline=pipeline)))
test_dataloader = val_dataloader
