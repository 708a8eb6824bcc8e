_base_ = './video-pose-lift_tcn-243frm_1xb32-10e_cmu-wild.py'

# MMPose's SimpleBaseline3D is a TCN of one frame.
model = dict(
    backbone=dict(
        num_frames=1, net=dict(num_blocks=2, kernel_sizes=(1, 1, 1), dropout=0.5)
    )
)
train_dataloader = dict(dataset=dict(seq_len=1))
val_dataloader = dict(dataset=dict(seq_len=1))
test_dataloader = val_dataloader
