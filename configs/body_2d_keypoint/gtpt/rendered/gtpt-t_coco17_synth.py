# Shipped weights mmhot://gtpt-t_coco17_synth, with the calibration of their scores on
# val_00 by tools/lab/evaluate_2d.py --fit-confidence.
_base_ = './gtpt-t_1xb32-30e_rendered-256x192.py'

model = dict(
    test_cfg=dict(
        score_curve=(
            (0.0, 0.129, 0.25, 0.353, 0.441, 0.51, 0.568, 0.63, 0.714, 1.0),
            (0.0, 0.56, 0.845, 0.945, 0.98, 0.992, 0.996, 0.998, 1.0, 1.0),
        )
    ),
)

# tighter than in training: real images are localized with higher confidence
val_pipeline = _base_.val_pipeline
val_pipeline[1].padding = 1.1
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
