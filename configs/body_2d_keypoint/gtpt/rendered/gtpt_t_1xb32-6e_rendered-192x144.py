_base_ = './gtpt_t_1xb32-20e_rendered-128x96.py'

size = (144, 192)
model = dict(
    head=dict(
        input_size=size, in_featuremap_size=(36, 48), decoder=dict(input_size=size)
    ),
    # fitted on val_00 by tools/evaluate_2d.py --fit-confidence
    test_cfg=dict(
        score_curve=(
            (0.0, 0.133, 0.241, 0.339, 0.425, 0.498, 0.563, 0.634, 0.73, 1.0),
            (0.0, 0.419, 0.719, 0.881, 0.933, 0.96, 0.986, 0.996, 1.0, 1.0),
        )
    ),
)
train_pipeline, val_pipeline = _base_.train_pipeline, _base_.val_pipeline
train_pipeline[7].input_size = train_pipeline[9].encoder.input_size = size
val_pipeline[2].input_size = size
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader

train_cfg = dict(max_epochs=6)
param_scheduler = _base_.param_scheduler
param_scheduler[1].T_max = 6
optim_wrapper = dict(optimizer=dict(lr=1e-3))
