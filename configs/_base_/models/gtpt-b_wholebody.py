# GTPT-B for COCO-WholeBody: S with a U-shaped stem.
_base_ = ['gtpt-s_wholebody.py']

model = dict(backbone=dict(stage_channels=(256, 384, 512)))
