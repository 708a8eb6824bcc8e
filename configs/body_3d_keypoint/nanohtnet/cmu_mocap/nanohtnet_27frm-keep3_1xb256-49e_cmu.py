_base_ = './nanohtnet_243frm-keep9_1xb256-49e_cmu.py'

model = dict(backbone=dict(num_frames=27, num_keep_frames=3))
train_dataloader = dict(dataset=dict(seq_len=27, num_targets=3))
val_dataloader = dict(dataset=dict(seq_len=27))
test_dataloader = val_dataloader
