_base_ = [
    '../../../_base_/datasets/cmu_mocap_views.py',
    '../../../_base_/models/nanohtnet.py',
    '../../../_base_/schedules/poseclr_30e.py',
]
model = dict(
    _delete_=True,
    type='PoseCLR',
    # The shipped weights were trained with this dropout, too.
    backbone=dict(
        _base_.model.backbone,
        num_frames=81,
        spatial_drop_rate=0.0,
        temporal_drop_rate=0.0,
        proj_drop_rate=0.0,
        drop_path_rates=(0.0, 0.1),
    ),
    projector=dict(in_channels=16, num_frames=9),
)
train_dataloader = dict(dataset=dict(dataset=dict(seq_len=81)))
