_base_ = [
    '../../../_base_/lifting_runtime.py',
    '../../../_base_/datasets/cmu_mocap.py',
    '../../../_base_/models/htnet.py',
    '../../../_base_/schedules/htnet.py',
]
train_dataloader = dict(batch_size=512, dataset=dict(seq_len=1, num_targets=1))
val_dataloader = dict(dataset=dict(seq_len=1))
test_dataloader = val_dataloader
train_cfg = dict(by_epoch=True, max_epochs=15, val_interval=1)
