_base_ = './motionagformer-b_243frm_1xb16-60e_h36m-sh.py'

model = dict(
    backbone=dict(num_frames=81, embed_dims=64, depth=26), head=dict(in_channels=64)
)
train_dataloader = dict(dataset=dict(seq_len=81, num_targets=81, stride=27))
val_dataloader = dict(dataset=dict(seq_len=81, num_targets=81, stride=81))
test_dataloader = val_dataloader
