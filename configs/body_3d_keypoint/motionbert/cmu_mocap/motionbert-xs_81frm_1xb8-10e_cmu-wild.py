_base_ = [
    '../../../_base_/datasets/cmu_mocap_wild_seq2seq.py',
    '../../../_base_/models/motionbert.py',
    '../../../_base_/schedules/wild.py',
    '../../../_base_/schedules/muon.py',
]
model = dict(
    # The simulated noise of 2D poses has no scores.
    backbone=dict(in_channels=2, embed_dims=64, num_heads=4, num_frames=81),
    head=dict(
        in_channels=64,
        # If the fitted scale may be negative, some seeds never leave poses of zero.
        loss=dict(min_scale=0.0),
        decoder=dict(_delete_=True, **_base_.codec),
    ),
)
train_cfg = dict(max_epochs=10)
auto_scale_lr = dict(base_batch_size=8)
