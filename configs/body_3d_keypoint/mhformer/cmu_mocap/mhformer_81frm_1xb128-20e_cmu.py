_base_ = [
    '../../../_base_/lifting_runtime.py',
    '../../../_base_/datasets/cmu_mocap.py',
    '../../../_base_/models/mhformer.py',
    '../../../_base_/schedules/mhformer_20e.py',
]
model = dict(backbone=dict(num_frames=81))
train_dataloader = dict(
    batch_size=128, dataset=dict(seq_len=81, num_targets=81, centered=True)
)
val_dataloader = dict(batch_size=128, dataset=dict(seq_len=81))
test_dataloader = val_dataloader
train_cfg = dict(by_epoch=True, max_epochs=20, val_interval=1)
