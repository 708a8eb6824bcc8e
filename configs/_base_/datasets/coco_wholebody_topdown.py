# COCO-WholeBody's 133 keypoints; detected boxes are COCO's.
_base_ = ['./coco_topdown.py']

data_root = 'data/coco/'
train_dataloader = dict(
    dataset=dict(
        type='CocoWholeBodyDataset',
        ann_file='annotations/coco_wholebody_train_v1.0.json',
    )
)
val_dataloader = dict(
    dataset=dict(
        type='CocoWholeBodyDataset',
        ann_file='annotations/coco_wholebody_val_v1.0.json',
    )
)
test_dataloader = val_dataloader

val_evaluator = dict(
    type='CocoWholeBodyPartsMetric',
    ann_file=data_root + 'annotations/coco_wholebody_val_v1.0.json',
)
test_evaluator = val_evaluator
