_base_ = './htnet_1frm_1xb512-15e_h36m-cpn.py'

train_dataloader = dict(dataset=dict(keypoint_2d_file='data_2d_h36m_gt.npz'))
val_dataloader = dict(dataset=dict(keypoint_2d_file='data_2d_h36m_gt.npz'))
test_dataloader = val_dataloader
