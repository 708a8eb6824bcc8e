_base_ = [
    '../../../_base_/datasets/cmu_mocap_wild.py',
    '../../../_base_/models/nanohtnet.py',
    '../../../_base_/schedules/wild.py',
]
model = dict(
    # 30 epochs of 32,000 windows are too few to overfit.
    backbone=dict(
        num_frames=81,
        spatial_drop_rate=0.0,
        temporal_drop_rate=0.0,
        proj_drop_rate=0.0,
        drop_path_rates=(0.0, 0.1),
    ),
    head=dict(decoder={{_base_.codec}}),
)
train_dataloader = dict(batch_size=32, dataset=dict(seq_len=81))
val_dataloader = dict(dataset=dict(seq_len=81))
test_dataloader = val_dataloader
# Lifting uses the frame rate of the training, and this conversion of COCO's joints.
lifting = dict(fps=50.0, mapping='trained')
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=4e-3, weight_decay=0.01, fused=True)
)
train_cfg = dict(max_epochs=30)
