# HTNet as released: single frames.
model = dict(
    type='SequencePoseLifter',
    backbone=dict(
        type='HTNet',
        embed_dims=240,
        depth=3,
        num_heads=8,
        mlp_dims=1024,
        graph_dims=384,
        drop_rate=0.1,
        proj_drop_rate=0.1,
        drop_path_rates=(0.1, 0.3),
    ),
    head=dict(
        type='PoseLiftingHead',
        in_channels=240,
        loss=dict(type='MPJPELoss'),
        decoder=dict(type='CameraPoseLifting'),
    ),
    test_cfg=dict(flip_test=True, target='center'),
)
