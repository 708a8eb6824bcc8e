_base_ = './htnet_1frm_1xb512-15e_h36m-cpn.py'

ground_truth = dict(keypoint_2d_file='data_2d_h36m_gt.npz')
train_dataloader = dict(dataset=ground_truth)
val_dataloader = dict(dataset=ground_truth)
test_dataloader = val_dataloader
