# MotionBERT as released: up to 243 frames in and out, keypoints with their scores.
model = dict(
    type='SequencePoseLifter',
    backbone=dict(
        type='MotionBERT',
        in_channels=3,
        embed_dims=512,
        depth=5,
        num_heads=8,
        mlp_ratio=2,
        num_frames=243,
    ),
    head=dict(
        type='RepresentationHead',
        in_channels=512,
        rep_dims=512,
        loss=dict(type='PoseSequenceLoss', scale_weight=0.5, velocity_weight=20.0),
        decoder=dict(type='ImageSpacePoseLifting'),
        init_cfg=dict(type='TruncNormal', layer='Linear', std=0.02, bias=0.0),
    ),
    test_cfg=dict(flip_test=True, target='all'),
)
