# MotionAGFormer-B as released: 243 frames in, 243 out.
model = dict(
    type='SequencePoseLifter',
    backbone=dict(
        type='MotionAGFormer',
        num_frames=243,
        in_channels=3,
        embed_dims=128,
        depth=16,
        num_heads=8,
        num_neighbors=2,
        mlp_ratio=4,
    ),
    head=dict(
        type='RepresentationHead',
        in_channels=128,
        rep_dims=512,
        loss=dict(type='PoseSequenceLoss', scale_weight=0.5, velocity_weight=20.0),
        decoder=dict(type='ImageSpacePoseLifting'),
    ),
    test_cfg=dict(flip_test=True, target='all'),
)
