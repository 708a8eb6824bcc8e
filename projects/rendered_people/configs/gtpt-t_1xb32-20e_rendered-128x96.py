_base_ = [
    './_base_/rendered_people_128x96.py',
    './_base_/gtpt-t_guided.py',
    './_base_/rendered_30e_guided.py',
]
# small images first: cheap steps, of the pass with pruning alone
model = dict(
    head=dict(
        input_size=(96, 128),
        in_featuremap_size=(24, 32),
        loss=dict(entire_weight=0.0, distill_weight=0.0),
        decoder=dict(input_size=(96, 128)),
    ),
)
train_cfg = dict(max_epochs=20)
param_scheduler = _base_.param_scheduler
param_scheduler[1].T_max = 20
optim_wrapper = dict(optimizer=dict(lr=2e-3))
