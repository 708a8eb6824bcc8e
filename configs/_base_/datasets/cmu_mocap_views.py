# Moments of CMU motion capture, each seen by four virtual cameras, for PoseCLR. The 3D
# poses serve only to draw the views. Validation has subject 02 in four fixed cameras.
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
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='MultiViewDataset',
        dataset=dict(
            _base_.val_dataloader.dataset,
            sources=['noisy'],
            stride=25,
            pipeline=[*_base_.val_pipeline[:2], *__encode],
        ),
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type='ViewRetrievalMetric')
test_evaluator = val_evaluator
