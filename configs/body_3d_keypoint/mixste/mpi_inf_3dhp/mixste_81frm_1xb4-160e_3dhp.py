_base_ = [
    '../../../_base_/lifting_runtime.py',
    '../../../_base_/datasets/mpi_inf_3dhp.py',
    '../../../_base_/models/mixste.py',
    '../../../_base_/schedules/mixste_160e.py',
]
model = dict(backbone=dict(num_frames=81))
train_dataloader = dict(batch_size=4)
train_cfg = dict(by_epoch=True, max_epochs=160, val_interval=1)
