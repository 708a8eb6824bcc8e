_base_ = './gtpt-t_1xb32-30e_rendered-256x192.py'

# small pictures first: cheap steps, of the pass with pruning alone
size = (96, 128)
codec = dict(input_size=size)
model = dict(
    head=dict(
        input_size=size,
        in_featuremap_size=(24, 32),
        loss=dict(entire_weight=0.0, distill_weight=0.0),
        decoder=dict(input_size=size),
    ),
)
train_pipeline, val_pipeline = _base_.train_pipeline, _base_.val_pipeline
train_pipeline[8].input_size = train_pipeline[10].encoder.input_size = size
val_pipeline[2].input_size = size
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader

train_cfg = dict(max_epochs=20)
param_scheduler = _base_.param_scheduler
param_scheduler[1].T_max = 20
optim_wrapper = dict(optimizer=dict(lr=2e-3))
