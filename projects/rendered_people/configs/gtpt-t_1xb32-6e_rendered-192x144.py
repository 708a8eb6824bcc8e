_base_ = [
    './_base_/rendered_people_192x144.py',
    './_base_/gtpt-t_guided.py',
    './_base_/rendered_30e_guided.py',
]
model = dict(
    head=dict(
        input_size=(144, 192),
        in_featuremap_size=(36, 48),
        loss=dict(entire_weight=0.0, distill_weight=0.0),
        decoder=dict(input_size=(144, 192)),
    ),
)
train_cfg = dict(max_epochs=6)
param_scheduler = _base_.param_scheduler
param_scheduler[1].T_max = 6
