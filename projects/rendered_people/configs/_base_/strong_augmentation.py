# Strong photometric augmentation of rendered images: night, black and white, light of
# any color, strong compression and blur.
color = dict(
    type='OneOf',
    transforms=[
        dict(type='ToGray', p=0.6),
        dict(type='ToSepia', p=0.1),
        dict(type='ChannelShuffle', p=0.2),
        dict(
            type='RGBShift', r_shift_limit=40, g_shift_limit=40, b_shift_limit=40, p=0.3
        ),
        dict(type='PlanckianJitter', mode='cied', p=0.4),
    ],
    p=0.4,
)
exposure = dict(
    type='OneOf',
    transforms=[
        dict(type='RandomToneCurve', scale=0.25),
        # night, backlight
        dict(
            type='RandomBrightnessContrast',
            brightness_limit=(-0.55, -0.25),
            contrast_limit=(-0.4, 0.1),
        ),
        dict(type='RandomGamma', gamma_limit=(50, 220)),
        dict(type='CLAHE', clip_limit=3.0),
    ],
    p=0.3,
)
noise = dict(
    type='OneOf',
    transforms=[
        dict(type='GaussNoise', std_range=(0.01, 0.1)),
        dict(type='ISONoise', intensity=(0.1, 0.5)),
    ],
    p=0.3,
)
strong_augmentation = dict(
    type='SeededAlbumentation',
    transforms=[
        color,
        dict(
            type='ColorJitter',
            brightness=(0.6, 1.3),
            contrast=(0.5, 1.4),
            saturation=(0.2, 1.7),
            hue=(-0.08, 0.08),
            p=0.6,
        ),
        exposure,
        dict(
            type='OneOf',
            transforms=[
                dict(type='MotionBlur', blur_limit=(3, 11)),
                dict(type='GaussianBlur', sigma_limit=(0.5, 2.5)),
                # INTER_AREA down, INTER_LINEAR up
                dict(
                    type='Downscale',
                    scale_range=(0.25, 0.8),
                    interpolation_pair=dict(downscale=3, upscale=1),
                ),
                dict(type='Sharpen', alpha=(0.2, 0.6), p=1.0),
            ],
            p=0.4,
        ),
        noise,
        dict(type='ImageCompression', quality_range=(12, 90), p=0.4),
        dict(
            type='CoarseDropout',
            num_holes_range=(1, 3),
            hole_height_range=(0.06, 0.25),
            hole_width_range=(0.06, 0.25),
            fill='random_uniform',
            p=0.25,
        ),
    ],
)
del color, exposure, noise
