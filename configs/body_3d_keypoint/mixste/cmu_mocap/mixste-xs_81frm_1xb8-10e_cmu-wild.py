_base_ = [
    '../../../_base_/datasets/cmu_mocap_wild_seq2seq.py',
    '../../../_base_/models/mixste.py',
    '../../../_base_/schedules/wild.py',
    '../../../_base_/schedules/muon.py',
]
model = dict(
    backbone=dict(
        num_frames=81, embed_dims=64, num_heads=4, mlp_dims=128, drop_path_rate=0.0
    ),
    head=dict(in_channels=64, decoder={{_base_.codec}}),
)
train_cfg = dict(max_epochs=10)
auto_scale_lr = dict(base_batch_size=8)
