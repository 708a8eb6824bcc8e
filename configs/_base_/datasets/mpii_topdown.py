# MPII's 16 keypoints, in square crops, as its boxes are square.
_base_ = ['./coco_topdown.py']

data_root = 'data/mpii/'
codec = dict(input_size=(256, 256))
train_pipeline, val_pipeline = _base_.train_pipeline, _base_.val_pipeline
del train_pipeline[2]  # InclusiveBBox is for COCO's boxes
for __step in train_pipeline[6], train_pipeline[7].encoder, val_pipeline[2]:
    __step.input_size = codec['input_size']
train_dataloader = dict(
    dataset=dict(
        type='MpiiDataset',
        data_root=data_root,
        ann_file='annotations/mpii_train.json',
        data_prefix=dict(img='images/'),
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        type='MpiiDataset',
        data_root=data_root,
        ann_file='annotations/mpii_val.json',
        bbox_file=None,
        headbox_file=data_root + 'annotations/mpii_gt_val.mat',
        data_prefix=dict(img='images/'),
        pipeline=val_pipeline,
    )
)
test_dataloader = val_dataloader

val_evaluator = dict(_delete_=True, type='MpiiPCKAccuracy')
test_evaluator = val_evaluator
