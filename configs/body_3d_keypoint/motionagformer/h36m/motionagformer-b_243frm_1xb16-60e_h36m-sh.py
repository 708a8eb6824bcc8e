_base_ = [
    '../../../_base_/lifting_runtime.py',
    '../../../_base_/datasets/human36m_image_space.py',
    '../../../_base_/models/motionagformer.py',
    '../../../_base_/schedules/motionagformer_60e.py',
]
train_dataloader = dict(batch_size=16)
val_dataloader = dict(batch_size=16)
test_dataloader = val_dataloader
train_cfg = dict(by_epoch=True, max_epochs=60, val_interval=1)
