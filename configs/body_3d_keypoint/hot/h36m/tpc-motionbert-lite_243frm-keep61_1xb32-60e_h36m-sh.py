_base_ = '../../motionbert/h36m/motionbert-lite_243frm_1xb32-60e_h36m-sh.py'

# Depth and number are not published: these give the paper's 91 GFLOPs.
model = dict(
    backbone=dict(pruner=dict(type='ClusterPruner', num_keep=61, depth=3)),
    test_cfg=dict(target='center'),
)
# The center frame of the window around each frame is evaluated.
val_dataloader = dict(dataset=dict(num_targets=1, stride=1))
test_dataloader = val_dataloader
