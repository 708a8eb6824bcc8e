_base_ = './motionagformer-b_243frm_1xb16-60e_h36m-sh.py'

model = dict(
    backbone=dict(num_frames=27, embed_dims=64, depth=12), head=dict(in_channels=64)
)
train_dataloader = dict(dataset=dict(seq_len=27, num_targets=27, stride=9))
val_dataloader = dict(dataset=dict(seq_len=27, num_targets=27, stride=27))
test_dataloader = val_dataloader
