# GTPT-B: S with a U-shaped stem.
_base_ = ['gtpt-s.py']

model = dict(backbone=dict(stage_channels=(256, 384, 512)))
