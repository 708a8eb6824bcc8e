# Human3.6M as MMPose prepares it (its docs, "Prepare Datasets", say how), with the 2D
# poses that a fine-tuned CPN detects, in windows of 243 frames that are all predicted.
# What a video lacks at its ends repeats its first and last frame, which the errors
# count and losses with weights do not.
_base_ = ['./lifting_clips.py']

dataset_type = 'Human36mClipDataset'
data_root = 'data/h36m/'
pack = dict(type='PackPoseInputs', meta_keys=_base_.meta_keys)
train_pipeline = [
    dict(type='SeedTransforms'),
    dict(type='GenerateTarget', encoder=_base_.codec),
    _base_.flip,
    pack,
]
val_pipeline = [dict(type='GenerateTarget', encoder=_base_.codec), pack]

train_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotation_body3d/fps50/h36m_train.npz',
        keypoint_2d_det_file='joint_2d_det_files/cpn_ft_h36m_dbb_train.npy',
        camera_param_file='annotation_body3d/cameras.pkl',
        seq_len=243,
        num_targets=243,
        stride=243,
        # an epoch of the released trainings shows each window and its mirror image
        times=2,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotation_body3d/fps50/h36m_test.npz',
        keypoint_2d_det_file='joint_2d_det_files/cpn_ft_h36m_dbb_test.npy',
        camera_param_file='annotation_body3d/cameras.pkl',
        seq_len=243,
        num_targets=243,
        stride=243,
        pipeline=val_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='LiftingErrorMetric', count_padding=True)
test_evaluator = val_evaluator
