_base_ = [
    '../../../_base_/datasets/cmu_mocap_wild.py',
    '../../../_base_/models/tcn.py',
    '../../../_base_/schedules/wild.py',
]
model = dict(head=dict(decoder={{_base_.codec}}))
train_dataloader = dict(batch_size=32, dataset=dict(seq_len=243, num_targets=1))
val_dataloader = dict(dataset=dict(seq_len=243))
test_dataloader = val_dataloader
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.01, fused=True)
)
train_cfg = dict(max_epochs=10)
