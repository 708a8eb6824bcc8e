# GTPT-S: wider.
_base_ = ['gtpt-t.py']

model = dict(
    backbone=dict(stage_channels=(256,)),
    head=dict(in_channels=256, embed_dims=192),
)
