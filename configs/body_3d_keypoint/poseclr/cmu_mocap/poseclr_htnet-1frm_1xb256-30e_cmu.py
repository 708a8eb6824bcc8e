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
    # Moments are half a second apart: neighboring frames hardly differ.
    exclusion_radius=25,
)
codec = dict(_delete_=True, type='CameraPoseLifting')
__encode = [
    dict(type='GenerateTarget', encoder=dict(type='CameraPoseLifting')),
    dict(type='PackPoseInputs'),
]
__steps = _base_.train_dataloader.dataset.dataset.pipeline
train_dataloader = dict(
    dataset=dict(
        dataset=dict(seq_len=1, num_targets=1, pipeline=[*__steps[:-2], *__encode])
    )
)
