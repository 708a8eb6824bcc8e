_base_ = './mhformer_351frm_1xb128-20e_h36m-cpn.py'

model = dict(backbone=dict(num_frames=243))
train_dataloader = dict(dataset=dict(seq_len=243, num_targets=243))
val_dataloader = dict(dataset=dict(seq_len=243))
test_dataloader = val_dataloader
