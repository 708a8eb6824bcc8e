# A map of a sixteenth of the image's size: every pixel is a token.
_base_ = ['gtpt-s_4xb64-300e_coco-256x192.py']
model = dict(
    backbone=dict(
        _delete_=True,
        type='SwinTransformer',
        out_indices=(2,),
        drop_path_rate=0.2,
        convert_weights=True,
    ),
    head=dict(in_channels=384, in_featuremap_size=(12, 16), patch_size=(1, 1)),
)
