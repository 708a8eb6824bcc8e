_base_ = './nanohtnet_243frm-keep9_1xb256-49e_h36m-cpn.py'

model = dict(backbone=dict(num_frames=81))
train_dataloader = dict(dataset=dict(seq_len=81))
val_dataloader = dict(dataset=dict(seq_len=81))
test_dataloader = val_dataloader
