_base_ = './mhformer_351frm_1xb128-20e_h36m-cpn.py'

model = dict(backbone=dict(num_frames=27))
train_dataloader = dict(dataset=dict(seq_len=27, num_targets=27))
val_dataloader = dict(dataset=dict(seq_len=27))
test_dataloader = val_dataloader
