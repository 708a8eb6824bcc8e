# Same images, augmentation and steps as GTPT's.
_base_ = [
    './_base_/rendered_people_128x96.py',
    './_base_/rtmpose_t.py',
    './_base_/rendered_30e.py',
]
label = _base_.model.head.decoder
codec = dict(_delete_=True, **label)
train_pipeline = _base_.train_pipeline
train_pipeline[10] = dict(type='GenerateTarget', encoder=label)
# its labels have no absent keypoints
people = dict(ann_file=_base_.shards[:-1], min_keypoints=1, complete=False)
train_dataloader = dict(dataset=dict(**people, pipeline=train_pipeline))
train_cfg = dict(max_epochs=20)
param_scheduler = _base_.param_scheduler
param_scheduler[1].T_max = 20
not_matrices = ('gau.gamma', 'gau.beta', 'cls_x.weight', 'cls_y.weight')
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={name: dict(muon=False) for name in not_matrices})
)
