# Shipped weights mmhot://gtpt-t_wholebody133_synth, with the calibration of their
# scores on the body's 17 keypoints in val_00 by tools/lab/evaluate_2d.py
# --fit-confidence.
_base_ = './gtpt-t_1xb32-10e_rendered-wholebody-192x144.py'

model = dict(
    head=dict(decoder=dict(smoothing=4.0)),  # as the labels
    test_cfg=dict(
        score_curve=(
            (0.0, 0.135, 0.251, 0.35, 0.431, 0.498, 0.555, 0.625, 0.73, 1.0),
            (0.0, 0.458, 0.776, 0.909, 0.959, 0.982, 0.991, 0.997, 0.999, 1.0),
        )
    ),
)

# tighter than in training: real images are localized with higher confidence
val_pipeline = _base_.val_pipeline
val_pipeline[1].padding = 1.1
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
