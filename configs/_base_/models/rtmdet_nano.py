# MMPose's RTMDet-nano person detector, for images of up to 320 pixels.
_base_ = ['mmdet::rtmdet/rtmdet_l_8xb32-300e_coco.py']

model = dict(
    data_preprocessor=dict(
        batch_augments=[
            dict(
                type='BatchSyncRandomResize',
                random_size_range=(192, 320),
                size_divisor=32,
                interval=1,
            )
        ],
    ),
    backbone=dict(
        deepen_factor=0.33,
        widen_factor=0.25,
        use_depthwise=True,
        norm_cfg=dict(type='BN'),
    ),
    neck=dict(
        in_channels=[64, 128, 256],
        out_channels=64,
        num_csp_blocks=1,
        use_depthwise=True,
        norm_cfg=dict(type='BN'),
    ),
    bbox_head=dict(
        in_channels=64,
        feat_channels=64,
        num_classes=1,
        share_conv=False,
        exp_on_reg=False,
        use_depthwise=True,
        norm_cfg=dict(type='BN'),
    ),
    test_cfg=dict(
        nms_pre=1000, score_thr=0.05, nms=dict(iou_threshold=0.5), max_per_img=100
    ),
)
