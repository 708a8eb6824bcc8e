# Tests the shipped weights mmhot://nanohtnet_81frm-keep9_cmu-wild on subjects 9 and 11,
# and trains the same lifter on the others.
_base_ = [
    '../../../_base_/datasets/human36m_person_centered.py',
    '../../../_base_/models/nanohtnet.py',
    '../../../_base_/schedules/wild.py',
]
model = dict(backbone=dict(num_frames=81), head=dict(decoder={{_base_.codec}}))
train_dataloader = dict(
    dataset=dict(seq_len=81, num_targets=9, stride=1, centered=True)
)
val_dataloader = dict(dataset=dict(seq_len=81, num_targets=1, stride=1))
test_dataloader = val_dataloader
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=4e-3, weight_decay=0.01, fused=True)
)
train_cfg = dict(max_epochs=30)
