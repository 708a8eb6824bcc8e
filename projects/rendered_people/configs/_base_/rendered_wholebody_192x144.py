# The same with COCO-WholeBody's 133 keypoints.
_base_ = ['./rendered_people_192x144.py']

# COCO-WholeBody's annotators do not label hidden keypoints of faces and hands
people = dict(
    skeleton='coco-wholebody-133',
    visible_only=('face', 'left_hand', 'right_hand'),
    metainfo=dict(from_file='configs/_base_/datasets/coco_wholebody.py'),
)
train_dataloader = dict(dataset=people)
val_dataloader = dict(dataset=people)
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='CocoWholeBodyPartsMetric', keypoint_score_thr=0.1, nms_mode='none'),
    dict(type='PCKAccuracy', thr=0.1),
]
test_evaluator = val_evaluator
