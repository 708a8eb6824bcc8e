_base_ = './motionagformer-b_243frm_1xb16-60e_h36m-sh.py'

# The depth is not published: it is the relative depth of MotionBERT's hourglass.
model = dict(
    backbone=dict(pruner=dict(type='ClusterPruner', num_keep=61, depth=10)),
    test_cfg=dict(target='center'),
)
# The center frame of the window around each frame is evaluated.
val_dataloader = dict(dataset=dict(num_targets=1, stride=1))
test_dataloader = val_dataloader
