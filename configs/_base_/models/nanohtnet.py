# NanoHTNet as released: 243 frames in, 9 out.
model = dict(
    type='SequencePoseLifter',
    backbone=dict(
        type='NanoHTNet',
        num_frames=243,
        num_keep_frames=9,
        embed_dims=240,
        depth=3,
        num_heads=8,
        mlp_dims=256,
        graph_dims=384,
        branch_dims=8,
        spatial_drop_rate=0.15,
        temporal_drop_rate=0.1,
        proj_drop_rate=0.1,
        drop_path_rates=(0.1, 0.3),
    ),
    head=dict(
        type='PoseLiftingHead',
        in_channels=16,
        loss=dict(type='MPJPELoss'),
        decoder=dict(type='CameraPoseLifting'),
    ),
    test_cfg=dict(flip_test=True, target='center'),
)
