# Windows of 81 frames; all of them are predicted.
_base_ = './cmu_mocap_wild.py'

train_dataloader = dict(
    batch_size=8,
    sampler=dict(num_samples=3200),
    dataset=dict(seq_len=81, num_targets=81),
)
val_dataloader = dict(
    batch_size=64, dataset=dict(seq_len=81, num_targets=81, stride=81)
)
test_dataloader = val_dataloader
