# A map of a sixteenth of the image's size: every pixel is a token.
_base_ = ['gtpt-s_4xb64-300e_coco-256x192.py']
model = dict(
    backbone=dict(
        _delete_=True,
        type='CSPNeXt',
        arch='P5',
        deepen_factor=0.67,
        widen_factor=0.75,
        out_indices=(3,),
        act_cfg=dict(type='SiLU'),
    ),
    head=dict(in_channels=384, in_featuremap_size=(12, 16), patch_size=(1, 1)),
)
