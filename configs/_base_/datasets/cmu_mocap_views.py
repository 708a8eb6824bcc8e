# Moments of CMU motion capture, each seen by four virtual cameras, for PoseCLR. The 3D
# poses serve only to draw the views.
_base_ = ['./cmu_mocap_wild.py']

__encode = [
    dict(type='GenerateTarget', encoder={{_base_.codec}}),
    dict(type='PackPoseInputs'),
]
# As with real cameras, all views of a moment are reversed together, and each view has
# its own camera, detector and frame rate.
train_dataloader = dict(
    batch_size=256,
    dataset=dict(
        _delete_=True,
        type='MultiViewDataset',
        num_views=4,
        pipeline=[_base_.train_pipeline[0], _base_.train_pipeline[2]],
        dataset=dict(
            _base_.train_dataloader.dataset,
            pipeline=[*_base_.train_pipeline[5:8], *__encode],
        ),
    ),
)
# Pre-trainings log how many views they retrieve.
val_dataloader = None
val_evaluator = None
test_dataloader = None
test_evaluator = None
