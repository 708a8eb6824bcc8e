_base_ = [
    '../../../_base_/lifting_runtime.py',
    '../../../_base_/datasets/human36m_image_space.py',
    '../../../_base_/models/motionbert.py',
    '../../../_base_/schedules/motionbert_120e.py',
]
model = dict(backbone=dict(embed_dims=256, mlp_ratio=4), head=dict(in_channels=256))
optim_wrapper = dict(optimizer=dict(lr=5e-4))
train_cfg = dict(by_epoch=True, max_epochs=60, val_interval=1)
