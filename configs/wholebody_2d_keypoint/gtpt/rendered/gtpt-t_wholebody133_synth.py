# Shipped weights mmhot://gtpt-t_wholebody133_synth, trained on rendered people, with
# the calibration of their scores. Without changes it trains and tests on
# COCO-WholeBody.
_base_ = [
    '../../../_base_/schedules/gtpt_300e.py',
    '../../../_base_/datasets/coco_wholebody_topdown.py',
    '../../../_base_/models/gtpt-t_wholebody.py',
]
default_hooks = dict(checkpoint=dict(save_best='coco-wholebody/AP'))

__size = (144, 192)
# 72 of 144 patches are left at the end, as the first group has the 68 keypoints of
# the face.
model = dict(
    head=dict(
        input_size=__size,
        in_featuremap_size=(36, 48),
        keep_rates=(1.0, 0.7, 0.6, 0.5),
        # Smoothing has the standard deviation of labels, in bins.
        decoder=dict(input_size=__size, smoothing=4.0),
    ),
    test_cfg=dict(
        score_curve=(
            (0.0, 0.135, 0.251, 0.35, 0.431, 0.498, 0.555, 0.625, 0.73, 1.0),
            (0.0, 0.458, 0.776, 0.909, 0.959, 0.982, 0.991, 0.997, 0.999, 1.0),
        )
    ),
)

codec = dict(input_size=__size)
train_pipeline, val_pipeline = _base_.train_pipeline, _base_.val_pipeline
train_pipeline[7].input_size = train_pipeline[8].encoder.input_size = __size
val_pipeline[2].input_size = __size
# Crops are tighter than in training, as keypoints of real images then have a higher
# confidence.
val_pipeline[1].padding = 1.1
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
