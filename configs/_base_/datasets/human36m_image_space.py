# Human3.6M in MotionBERT's file and units, as in its paper: 2D poses of a stacked
# hourglass with their scores, targets in image space. Training windows overlap by two
# thirds; frames at a clip's end that fill no window are left out.
_base_ = ['./lifting_windows.py']

dataset_type = 'MotionBERTDataset'
data_root = 'data/h36m/'
codec = dict(type='ImageSpacePoseLifting')
train_pipeline, val_pipeline = _base_.train_pipeline, _base_.val_pipeline
train_pipeline[1].encoder = val_pipeline[0].encoder = codec
train_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='h36m_sh_conf_cam_source_final.pkl',
        split='train',
        # True for the true 2D poses instead of detections, here and below
        ground_truth=False,
        # The file has no scale for training, and labels in image space need none.
        millimeters_per_pixel=4.4,
        keep_rest=False,
        stride=81,
        times=1,
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='h36m_sh_conf_cam_source_final.pkl',
        split='test',
        ground_truth=False,
        keep_rest=False,
        pipeline=val_pipeline,
    )
)
test_dataloader = val_dataloader
# MMPose leaves out these recordings, too: their annotations are wrong.
val_evaluator = dict(
    skip_list=[
        's_09_act_05_subact_02',
        's_09_act_10_subact_02',
        's_09_act_13_subact_01',
    ]
)
test_evaluator = val_evaluator
