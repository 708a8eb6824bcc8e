_base_ = [
    '../../../_base_/lifting_runtime.py',
    '../../../_base_/datasets/human36m_image_space.py',
    '../../../_base_/models/motionbert.py',
    '../../../_base_/schedules/motionbert_120e.py',
]
train_cfg = dict(by_epoch=True, max_epochs=120, val_interval=1)
