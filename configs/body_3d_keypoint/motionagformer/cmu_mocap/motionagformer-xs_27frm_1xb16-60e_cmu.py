_base_ = [
    '../../../_base_/lifting_runtime.py',
    '../../../_base_/datasets/cmu_mocap_image_space.py',
    '../../../_base_/models/motionagformer.py',
    '../../../_base_/schedules/motionagformer_60e.py',
]
model = dict(
    backbone=dict(num_frames=27, embed_dims=64, depth=12), head=dict(in_channels=64)
)
train_dataloader = dict(batch_size=16, dataset=dict(seq_len=27, num_targets=27))
val_dataloader = dict(dataset=dict(seq_len=27, num_targets=27, stride=27))
test_dataloader = val_dataloader
train_cfg = dict(by_epoch=True, max_epochs=60, val_interval=1)
