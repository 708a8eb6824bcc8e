# Moments of Human3.6M in its four cameras, as detected by CPN, for PoseCLR, which does
# not use the 3D poses.
_base_ = ['./human36m.py']

__pipeline = [
    dict(type='GenerateTarget', encoder={{_base_.codec}}),
    dict(type='PackPoseInputs'),
]
train_dataloader = dict(
    batch_size=256,
    dataset=dict(
        _delete_=True,
        type='MultiViewDataset',
        pipeline=[dict(type='SeedTransforms')],
        dataset=dict(
            _base_.train_dataloader.dataset,
            num_targets=9,
            stride=9,
            times=1,
            pipeline=__pipeline,
        ),
    ),
)
# Pre-trainings log how many views they retrieve.
val_dataloader = None
val_evaluator = None
test_dataloader = None
test_evaluator = None
