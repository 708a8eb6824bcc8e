# GTPT-T as released, for the keypoints of COCO in crops of 192 x 256.
model = dict(
    type='TopdownPoseEstimator',
    data_preprocessor=dict(
        type='TopdownDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(type='GTPTStem', stage_channels=(128,)),
    head=dict(
        type='GTPTHead',
        in_channels=128,
        out_channels=17,
        input_size=(192, 256),
        in_featuremap_size=(48, 64),
        patch_size=(3, 4),
        embed_dims=128,
        num_heads=8,
        keep_rates=(1.0, 0.7, 0.3, 0.1),
        skeleton='coco-17',
        groups=(('head',), ('upper_body',), ('lower_body',)),
        loss=dict(type='GTPTLoss'),
        decoder=dict(type='GTPTLabel', input_size=(192, 256)),
    ),
    test_cfg=dict(flip_test=True),
)
