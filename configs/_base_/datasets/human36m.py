# Human3.6M as in MMPose's "Prepare Datasets", with 2D poses of a fine-tuned CPN, in
# windows of 243 frames, all of which are predicted. Beyond its ends a clip repeats its
# first and last frame, which count in evaluation but not in weighted losses.
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
        # each window and its mirror image, as in the released trainings
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
