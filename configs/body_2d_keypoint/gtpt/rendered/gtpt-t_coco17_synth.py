# Shipped weights mmhot://gtpt-t_coco17_synth, trained on rendered people, with the
# calibration of their scores. Without changes it trains and tests on COCO.
_base_ = [
    '../../../_base_/schedules/gtpt_300e.py',
    '../../../_base_/datasets/coco_topdown.py',
    '../../../_base_/models/gtpt-t.py',
]
default_hooks = dict(checkpoint=dict(save_best='coco/AP'))

model = dict(
    head=dict(decoder=dict(smoothing=4.0)),  # bins, the standard deviation of labels
    test_cfg=dict(
        score_curve=(
            (0.0, 0.138, 0.265, 0.37, 0.457, 0.528, 0.585, 0.646, 0.724, 1.0),
            (0.0, 0.586, 0.862, 0.946, 0.978, 0.993, 0.996, 0.998, 1.0, 1.0),
        )
    ),
)

# Crops are tighter than in training, as keypoints of real images then have a higher
# confidence.
val_pipeline = _base_.val_pipeline
val_pipeline[1].padding = 1.1
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
