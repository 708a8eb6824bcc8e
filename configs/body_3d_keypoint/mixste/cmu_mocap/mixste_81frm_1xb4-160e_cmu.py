_base_ = [
    '../../../_base_/lifting_runtime.py',
    '../../../_base_/datasets/cmu_mocap.py',
    '../../../_base_/models/mixste.py',
    '../../../_base_/schedules/mixste_160e_warmup.py',
]
model = dict(backbone=dict(num_frames=81))
# An epoch has about as many windows as with Human3.6M.
train_dataloader = dict(
    batch_size=4,
    sampler=dict(num_samples=12800),
    dataset=dict(seq_len=81, num_targets=81),
)
val_dataloader = dict(
    batch_size=32, dataset=dict(seq_len=81, num_targets=81, stride=81)
)
test_dataloader = val_dataloader
train_cfg = dict(by_epoch=True, max_epochs=160, val_interval=1)
# An interruption loses at most an epoch of 3,200 steps.
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=2))
