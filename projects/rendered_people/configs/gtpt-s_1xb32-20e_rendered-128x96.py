_base_ = './gtpt-t_1xb32-20e_rendered-128x96.py'

model = dict(
    backbone=dict(stage_channels=(256,)),
    head=dict(in_channels=256, embed_dims=192),
)
