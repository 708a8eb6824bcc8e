# VideoPose3D as MMPose builds it for training: strided, one frame out.
model = dict(
    type='SequencePoseLifter',
    backbone=dict(
        type='FlattenedPoseBackbone',
        num_frames=243,
        net=dict(
            type='TCN',
            in_channels=34,
            stem_channels=1024,
            num_blocks=4,
            kernel_sizes=(3, 3, 3, 3, 3),
            dropout=0.25,
            use_stride_conv=True,
        ),
    ),
    head=dict(
        type='PoseLiftingHead',
        in_channels=1024,
        num_keypoints=17,
        loss=dict(type='MPJPELoss'),
        decoder=dict(type='CameraPoseLifting'),
    ),
    test_cfg=dict(flip_test=True, target='center'),
)
