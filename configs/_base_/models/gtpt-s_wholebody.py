# GTPT-S for COCO-WholeBody: wider.
_base_ = ['gtpt-t_wholebody.py']

model = dict(
    backbone=dict(stage_channels=(256,)),
    head=dict(in_channels=256, embed_dims=192),
)
