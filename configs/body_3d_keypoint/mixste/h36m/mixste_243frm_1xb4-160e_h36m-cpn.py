_base_ = [
    '../../../_base_/lifting_runtime.py',
    '../../../_base_/datasets/human36m.py',
    '../../../_base_/models/mixste.py',
    '../../../_base_/schedules/mixste_160e.py',
]
train_dataloader = dict(batch_size=4)
train_cfg = dict(by_epoch=True, max_epochs=160, val_interval=1)
