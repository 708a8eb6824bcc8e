_base_ = [
    '../../../_base_/lifting_runtime.py',
    '../../../_base_/datasets/mpi_inf_3dhp.py',
    '../../../_base_/models/nanohtnet.py',
    '../../../_base_/schedules/nanohtnet_49e.py',
]
model = dict(backbone=dict(num_frames=81))
train_dataloader = dict(
    batch_size=256, dataset=dict(num_targets=9, stride=1, centered=True)
)
val_dataloader = dict(batch_size=256, dataset=dict(num_targets=1, stride=1))
test_dataloader = val_dataloader
train_cfg = dict(by_epoch=True, max_epochs=49, val_interval=1)
