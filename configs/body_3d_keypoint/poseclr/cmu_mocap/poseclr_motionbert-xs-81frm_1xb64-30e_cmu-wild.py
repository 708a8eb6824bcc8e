_base_ = [
    '../../../_base_/datasets/cmu_mocap_views.py',
    '../../../_base_/models/motionbert.py',
    '../../../_base_/schedules/poseclr_30e.py',
]
model = dict(
    _delete_=True,
    type='PoseCLR',
    backbone=dict(
        _base_.model.backbone, in_channels=2, embed_dims=64, num_heads=4, num_frames=81
    ),
    projector=dict(in_channels=64, num_frames=81),
)
train_dataloader = dict(
    batch_size=64, dataset=dict(dataset=dict(seq_len=81, num_targets=81))
)
auto_scale_lr = dict(base_batch_size=64)
