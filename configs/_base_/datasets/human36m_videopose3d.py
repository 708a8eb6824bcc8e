# Human3.6M in VideoPose3D's files, with 2D poses of a fine-tuned CPN; otherwise as
# human36m.py.
_base_ = ['./lifting_windows.py']

dataset_type = 'VideoPose3DDataset'
data_root = 'data/h36m/'
__files = dict(
    type=dataset_type,
    data_root=data_root,
    ann_file='data_3d_h36m.npz',
    keypoint_2d_file='data_2d_h36m_cpn_ft_h36m_dbb.npz',
    camera_param_file='cameras.pkl',
)
train_dataloader = dict(
    dataset=dict(**__files, subjects=['S1', 'S5', 'S6', 'S7', 'S8'])
)
val_dataloader = dict(dataset=dict(**__files, subjects=['S9', 'S11']))
test_dataloader = val_dataloader
