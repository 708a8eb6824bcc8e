_base_ = [
    '../../../_base_/lifting_runtime.py',
    '../../../_base_/datasets/mpi_inf_3dhp.py',
    '../../../_base_/models/mhformer.py',
    '../../../_base_/schedules/mhformer_20e.py',
]
model = dict(backbone=dict(num_frames=81))
# There is a window around each frame. All of its frames are trained, and its center is
# evaluated.
train_dataloader = dict(batch_size=128, dataset=dict(stride=1, centered=True))
val_dataloader = dict(batch_size=128, dataset=dict(num_targets=1, stride=1))
test_dataloader = val_dataloader
train_cfg = dict(by_epoch=True, max_epochs=20, val_interval=1)
