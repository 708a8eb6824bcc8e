_base_ = './motionbert_243frm_1xb32-120e_h36m-sh.py'

model = dict(backbone=dict(embed_dims=256, mlp_ratio=4), head=dict(in_channels=256))
optim_wrapper = dict(optimizer=dict(lr=5e-4))
train_cfg = dict(max_epochs=60)
