# Tests the shipped weights mmhot://tps-tri-motionbert-xs_81frm-keep27_cmu-wild on
# subjects 9 and 11, and trains the same lifter on the others.
_base_ = [
    '../../../_base_/datasets/human36m_person_centered.py',
    '../../../_base_/models/motionbert.py',
    '../../../_base_/schedules/wild.py',
    '../../../_base_/schedules/muon.py',
]
model = dict(
    backbone=dict(
        in_channels=2,
        embed_dims=64,
        num_heads=4,
        num_frames=81,
        pruner=dict(type='UniformPruner', num_keep=27, depth=1),
        recoverer=dict(type='InterpolationRecoverer'),
    ),
    head=dict(
        in_channels=64,
        loss=dict(min_scale=0.0),
        decoder=dict(_delete_=True, **_base_.codec),
    ),
)
train_dataloader = dict(
    batch_size=8, dataset=dict(downsample=2, seq_len=81, num_targets=81, stride=81)
)
val_dataloader = dict(dataset=dict(downsample=2, seq_len=81, num_targets=81, stride=81))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=15)
auto_scale_lr = dict(base_batch_size=8)
