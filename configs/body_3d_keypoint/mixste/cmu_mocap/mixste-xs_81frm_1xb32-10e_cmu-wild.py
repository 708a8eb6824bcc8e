_base_ = [
    '../../../_base_/lifting_runtime.py',
    '../../../_base_/datasets/cmu_mocap_wild.py',
    '../../../_base_/models/mixste.py',
    '../../../_base_/schedules/wild.py',
]
model = dict(
    backbone=dict(
        num_frames=81, embed_dims=64, num_heads=4, mlp_dims=128, drop_path_rate=0.0
    ),
    head=dict(in_channels=64, decoder={{_base_.codec}}),
)
train_dataloader = dict(batch_size=32, dataset=dict(seq_len=81, num_targets=81))
val_dataloader = dict(
    batch_size=64, dataset=dict(seq_len=81, num_targets=81, stride=81)
)
test_dataloader = val_dataloader
train_cfg = dict(by_epoch=True, max_epochs=10, val_interval=5)
param_scheduler = _base_.param_scheduler
param_scheduler[1].T_max = 10
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=2))
