# Rendered people with stronger augmentation: any rotation, truncated bodies, night,
# black and white, strong compression and blur, light of any color.
_base_ = ['./rendered_people.py']

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
effects = {effect['type']: effect for effect in _base_.image_augmentation.transforms}
effects['ColorJitter'].update(
    brightness=(0.6, 1.3),
    contrast=(0.5, 1.4),
    saturation=(0.2, 1.7),
    hue=(-0.08, 0.08),
    p=0.6,
)
blur = effects['OneOf'].transforms
blur[0].blur_limit, blur[1].sigma_limit = (3, 11), (0.5, 2.5)
blur[2].scale_range = (0.25, 0.8)
effects['ImageCompression'].quality_range = (12, 90)
effects['CoarseDropout'].update(
    hole_height_range=(0.06, 0.25), hole_width_range=(0.06, 0.25), p=0.25
)
image_augmentation = dict(
    transforms=[
        color,
        effects['ColorJitter'],
        exposure,
        effects['OneOf'],
        noise,
        effects['ImageCompression'],
        effects['CoarseDropout'],
    ]
)

train_pipeline = _base_.train_pipeline
train_pipeline[6].update(rotate_prob=0.5, around_prob=0.3)
train_pipeline[9].transforms = image_augmentation['transforms']
# after the border is extended, before the box's center and scale
train_pipeline.insert(4, dict(type='RandomTruncation', prob=0.25))
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
