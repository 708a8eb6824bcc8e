_base_ = './mixste_243frm_1xb4-160e_h36m-cpn.py'

model = dict(backbone=dict(num_frames=81))
train_dataloader = dict(dataset=dict(seq_len=81, num_targets=81, stride=81))
val_dataloader = dict(dataset=dict(seq_len=81, num_targets=81, stride=81))
test_dataloader = val_dataloader
