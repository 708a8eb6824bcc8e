_base_ = [
    '../../../_base_/lifting_runtime.py',
    '../../../_base_/datasets/cmu_mocap.py',
    '../../../_base_/models/nanohtnet.py',
    '../../../_base_/schedules/nanohtnet_49e.py',
]
train_cfg = dict(by_epoch=True, max_epochs=49, val_interval=1)
