# MixSTE as released: 243 frames in and out.
model = dict(
    type='SequencePoseLifter',
    backbone=dict(
        type='MixSTE',
        num_frames=243,
        embed_dims=512,
        depth=8,
        num_heads=8,
        mlp_dims=1024,
        drop_path_rate=0.1,
    ),
    head=dict(
        type='PoseLiftingHead',
        in_channels=512,
        loss=dict(
            type='PoseSequenceLoss',
            # Order: pelvis, right leg, left leg, trunk and head, left arm, right arm.
            joint_weights=[
                *(1.0, 1.0, 2.5, 2.5, 1.0, 2.5, 2.5),
                *(1.0, 1.0, 1.0, 1.5, 1.5, 4.0, 4.0, 1.5, 4.0, 4.0),
            ],
            velocity_weight=2.0,
            smooth_weight=0.5,
        ),
        decoder=dict(type='CameraPoseLifting'),
    ),
    test_cfg=dict(flip_test=True, target='all'),
)
