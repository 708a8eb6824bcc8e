_base_ = [
    './_base_/rendered_wholebody_192x144.py',
    '../../../configs/_base_/models/gtpt-t_wholebody.py',
    './_base_/rendered_30e_guided.py',
]
# 72 of 144 patches are left at the end, as the first group has the face's 68 keypoints
model = dict(
    head=dict(
        input_size=(144, 192),
        in_featuremap_size=(36, 48),
        keep_rates=(1.0, 0.7, 0.6, 0.5),
        loss=dict(entire_weight=0.0, distill_weight=0.0),
        guidance=dict(type='PatchGuidanceLoss', weight=0.01),
        decoder=dict(input_size=(144, 192)),
    ),
)
train_cfg = dict(max_epochs=10)
param_scheduler = _base_.param_scheduler
param_scheduler[1].T_max = 10
