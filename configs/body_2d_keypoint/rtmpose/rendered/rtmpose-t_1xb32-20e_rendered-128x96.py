_base_ = [
    '../../../_base_/datasets/rendered_people.py',
    '../../../_base_/models/rtmpose_t.py',
    '../../../_base_/schedules/rendered_30e.py',
]

# the same pictures, augmentation and steps as GTPT's
size = (96, 128)
label = dict(
    type='SimCCLabel',
    input_size=size,
    sigma=(3.46, 4.0),
    simcc_split_ratio=2.0,
    normalize=False,
    use_dark=False,
)
codec = dict(_delete_=True, **label)
model = dict(
    head=dict(input_size=size, in_featuremap_size=(3, 4), decoder=label),
)
train_pipeline, val_pipeline = _base_.train_pipeline, _base_.val_pipeline
train_pipeline[8].input_size = size
train_pipeline[10] = dict(type='GenerateTarget', encoder=label)
val_pipeline[2].input_size = size
# its labels do not know that somebody may not be there
people = dict(ann_file=_base_.shards[:-1], min_keypoints=1, complete=False)
train_dataloader = dict(dataset=dict(**people, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader

train_cfg = dict(max_epochs=20)
param_scheduler = _base_.param_scheduler
param_scheduler[1].T_max = 20
not_matrices = ('gau.gamma', 'gau.beta', 'cls_x.weight', 'cls_y.weight')
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={name: dict(muon=False) for name in not_matrices})
)
