_base_ = [
    '../../../_base_/datasets/rendered_people.py',
    '../../../_base_/models/gtpt-t_wholebody.py',
    '../../../_base_/schedules/rendered_30e.py',
]

# Of these 144 patches 72 are left at the end: the 68 keypoints of the face take their
# places in the first group. The pass with pruning alone, as in the first stages.
size = (144, 192)
codec = dict(input_size=size)
model = dict(
    head=dict(
        input_size=size,
        in_featuremap_size=(36, 48),
        keep_rates=(1.0, 0.7, 0.6, 0.5),
        loss=dict(entire_weight=0.0, distill_weight=0.0),
        guidance=dict(type='PatchGuidanceLoss', weight=0.01),
        decoder=dict(input_size=size),
    ),
)
train_pipeline, val_pipeline = _base_.train_pipeline, _base_.val_pipeline
train_pipeline[8].input_size = train_pipeline[10].encoder.input_size = size
val_pipeline[2].input_size = size
# COCO-WholeBody's annotators leave out what they cannot see of faces and hands
people = dict(
    skeleton='coco-wholebody-133',
    visible_only=('face', 'left_hand', 'right_hand'),
    order_feet=True,
    metainfo=dict(from_file='configs/_base_/datasets/coco_wholebody.py'),
)
train_dataloader = dict(dataset=dict(**people, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(**people, pipeline=val_pipeline))
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='CocoWholeBodyPartsMetric', keypoint_score_thr=0.1, nms_mode='none'),
    dict(type='PCKAccuracy', thr=0.1),
]
test_evaluator = val_evaluator
custom_hooks = [*_base_.custom_hooks, dict(type='GuidanceHook', factor=10.0, end=3)]

train_cfg = dict(max_epochs=10)
param_scheduler = _base_.param_scheduler
param_scheduler[1].T_max = 10
