# Photometric augmentation of rendered images: color, exposure, blur, noise, compression
# and random erasing.
image_augmentation = dict(
    type='SeededAlbumentation',
    transforms=[
        dict(type='PlanckianJitter', mode='cied', p=0.2),
        dict(
            type='ColorJitter',
            brightness=(0.6, 1.25),
            contrast=(0.6, 1.3),
            saturation=(0.3, 1.6),
            hue=(-0.05, 0.05),
            p=0.7,
        ),
        dict(type='RandomToneCurve', scale=0.2, p=0.2),
        dict(type='ToGray', p=0.05),
        dict(
            type='OneOf',
            transforms=[
                dict(type='MotionBlur', blur_limit=(3, 7)),
                dict(type='GaussianBlur', sigma_limit=(0.5, 2.0)),
                # INTER_AREA down, INTER_LINEAR up
                dict(
                    type='Downscale',
                    scale_range=(0.3, 0.8),
                    interpolation_pair=dict(downscale=3, upscale=1),
                ),
                dict(type='Sharpen', alpha=(0.2, 0.6), p=1.0),
            ],
            p=0.4,
        ),
        dict(type='GaussNoise', std_range=(0.01, 0.08), p=0.3),
        dict(type='ImageCompression', quality_range=(20, 90), p=0.4),
        dict(
            type='CoarseDropout',
            num_holes_range=(1, 3),
            hole_height_range=(0.08, 0.25),
            hole_width_range=(0.08, 0.25),
            fill='random_uniform',
            p=0.3,
        ),
    ],
)
