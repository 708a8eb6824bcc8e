_base_ = [
    '../../../_base_/lifting_runtime.py',
    '../../../_base_/datasets/cmu_mocap_image_space.py',
    '../../../_base_/models/motionbert.py',
    '../../../_base_/schedules/motionbert_120e.py',
]
model = dict(backbone=dict(embed_dims=256, mlp_ratio=4), head=dict(in_channels=256))
optim_wrapper = dict(optimizer=dict(lr=5e-4))
train_cfg = dict(by_epoch=True, max_epochs=60, val_interval=1)
train_dataloader = dict(
    batch_size=32, sampler=dict(num_samples=12800), dataset=dict(num_targets=243)
)
val_dataloader = dict(batch_size=32, dataset=dict(num_targets=243, stride=243))
test_dataloader = val_dataloader
