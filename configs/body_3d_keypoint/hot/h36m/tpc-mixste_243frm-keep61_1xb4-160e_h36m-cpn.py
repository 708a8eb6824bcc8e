_base_ = '../../mixste/h36m/mixste_243frm_1xb4-160e_h36m-cpn.py'

model = dict(
    backbone=dict(pruner=dict(type='ClusterPruner', num_keep=61, depth=7)),
    test_cfg=dict(target='center'),
)
# The center frame of the window around each frame is evaluated.
val_dataloader = dict(dataset=dict(num_targets=1, stride=1))
test_dataloader = val_dataloader
