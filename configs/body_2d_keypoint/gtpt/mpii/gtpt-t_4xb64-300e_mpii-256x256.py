_base_ = [
    '../../../_base_/schedules/gtpt_300e.py',
    '../../../_base_/datasets/mpii_topdown.py',
    '../../../_base_/models/gtpt-t.py',
]
model = dict(
    head=dict(
        out_channels=16,
        skeleton='mpii-16',
        input_size=(256, 256),
        in_featuremap_size=(64, 64),
        patch_size=(4, 4),
        decoder=dict(input_size=(256, 256)),
    )
)
default_hooks = dict(checkpoint=dict(save_best='PCK'))
