_base_ = [
    '../../../_base_/lifting_runtime.py',
    '../../../_base_/datasets/mpi_inf_3dhp.py',
    '../../../_base_/models/motionagformer.py',
    '../../../_base_/schedules/motionagformer_60e.py',
]
# P-STMO's files have neither scores nor the cameras that targets in image space need.
model = dict(
    backbone=dict(num_frames=81, in_channels=2),
    head=dict(decoder=dict(type='CameraPoseLifting')),
)
train_dataloader = dict(batch_size=16, dataset=dict(stride=27, times=1))
val_dataloader = dict(batch_size=16)
test_dataloader = val_dataloader
train_cfg = dict(by_epoch=True, max_epochs=90, val_interval=1)
