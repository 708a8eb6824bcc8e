# Shipped weights mmhot://gtpt-t_coco17_synth, with the calibration of their scores on
# val_00 by tools/lab/evaluate_2d.py --fit-confidence.
_base_ = './gtpt-t_1xb32-30e_rendered-256x192.py'

model = dict(
    head=dict(decoder=dict(smoothing=4.0)),  # as the labels
    test_cfg=dict(
        score_curve=(
            (0.0, 0.138, 0.265, 0.37, 0.457, 0.528, 0.585, 0.646, 0.724, 1.0),
            (0.0, 0.586, 0.862, 0.946, 0.978, 0.993, 0.996, 0.998, 1.0, 1.0),
        )
    ),
)

# tighter than in training: real images are localized with higher confidence
val_pipeline = _base_.val_pipeline
val_pipeline[1].padding = 1.1
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
