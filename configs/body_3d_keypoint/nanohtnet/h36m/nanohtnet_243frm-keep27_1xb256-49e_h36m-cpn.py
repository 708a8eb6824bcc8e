_base_ = './nanohtnet_243frm-keep9_1xb256-49e_h36m-cpn.py'

model = dict(backbone=dict(num_keep_frames=27))
train_dataloader = dict(dataset=dict(num_targets=27))
