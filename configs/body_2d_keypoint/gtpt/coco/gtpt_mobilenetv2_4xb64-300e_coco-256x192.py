# A map of a sixteenth of the image's size: every pixel is a token.
_base_ = ['gtpt-t_4xb64-300e_coco-256x192.py']
model = dict(
    backbone=dict(_delete_=True, type='MobileNetV2', out_indices=(4,)),
    head=dict(in_channels=96, in_featuremap_size=(12, 16), patch_size=(1, 1)),
)
