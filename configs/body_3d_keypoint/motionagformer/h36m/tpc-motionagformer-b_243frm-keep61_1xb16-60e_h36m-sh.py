_base_ = './motionagformer-b_243frm_1xb16-60e_h36m-sh.py'

# not published: pruned at the same relative depth as MotionBERT
model = dict(
    backbone=dict(pruner=dict(type='ClusterPruner', num_keep=61, depth=10)),
    test_cfg=dict(target='center'),
)
# the center frame of the window around each frame is evaluated
val_dataloader = dict(dataset=dict(num_targets=1, stride=1))
test_dataloader = val_dataloader
