# Human3.6M as in MMPose's "Prepare Datasets", with 2D poses of a fine-tuned CPN.
_base_ = ['./lifting_windows.py']

dataset_type = 'Human36mClipDataset'
data_root = 'data/h36m/'
train_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotation_body3d/fps50/h36m_train.npz',
        keypoint_2d_det_file='joint_2d_det_files/cpn_ft_h36m_dbb_train.npy',
        camera_param_file='annotation_body3d/cameras.pkl',
    )
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotation_body3d/fps50/h36m_test.npz',
        keypoint_2d_det_file='joint_2d_det_files/cpn_ft_h36m_dbb_test.npy',
        camera_param_file='annotation_body3d/cameras.pkl',
    )
)
test_dataloader = val_dataloader
