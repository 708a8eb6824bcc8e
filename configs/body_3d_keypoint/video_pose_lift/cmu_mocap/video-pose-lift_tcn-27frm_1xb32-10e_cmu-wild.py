_base_ = './video-pose-lift_tcn-243frm_1xb32-10e_cmu-wild.py'

model = dict(
    backbone=dict(num_frames=27, net=dict(num_blocks=2, kernel_sizes=(3, 3, 3)))
)
train_dataloader = dict(dataset=dict(seq_len=27))
val_dataloader = dict(dataset=dict(seq_len=27))
test_dataloader = val_dataloader
