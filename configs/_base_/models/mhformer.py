# MHFormer as released: 351 frames.
model = dict(
    type='SequencePoseLifter',
    backbone=dict(
        type='MHFormer',
        num_frames=351,
        embed_dims=512,
        mlp_dims=1024,
        num_heads=8,
        depth=2,
        interaction_depth=1,
        generation_depth=4,
        generation_heads=9,
        drop_rate=0.1,
        drop_path_rate=0.2,
    ),
    head=dict(
        type='PoseLiftingHead',
        in_channels=1536,
        num_keypoints=17,
        loss=dict(type='MPJPELoss'),
        decoder=dict(type='CameraPoseLifting'),
    ),
    test_cfg=dict(flip_test=True, target='center'),
)
