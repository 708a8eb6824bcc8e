_base_ = [
    '../../../_base_/lifting_runtime.py',
    '../../../_base_/datasets/human36m_videopose3d.py',
    '../../../_base_/models/htnet.py',
    '../../../_base_/schedules/htnet.py',
]
train_dataloader = dict(
    batch_size=512, dataset=dict(seq_len=1, num_targets=1, stride=1)
)
val_dataloader = dict(batch_size=512, dataset=dict(seq_len=1, num_targets=1, stride=1))
test_dataloader = val_dataloader
train_cfg = dict(by_epoch=True, max_epochs=15, val_interval=1)
