_base_ = './poseclr_motionbert-xs-81frm_1xb64-30e_cmu-wild.py'

# In these 700 steps a slower average hardly moves, and a longer queue does not fill.
model = dict(
    backbone=dict(
        pruner=dict(type='UniformPruner', num_keep=27, depth=1),
        recoverer=dict(type='InterpolationRecoverer'),
    ),
    projector=dict(num_frames=27),
    temperature=0.1,
    momentum=0.98,
    queue_size=4096,
)
train_dataloader = dict(
    batch_size=32,
    sampler=dict(num_samples=2240),
    dataset=dict(num_views=2),
)
train_cfg = dict(max_epochs=10, val_interval=10)
auto_scale_lr = dict(base_batch_size=32)
