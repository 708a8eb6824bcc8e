_base_ = '../../mixste/cmu_mocap/mixste_243frm_1xb4-160e_cmu.py'

model = dict(
    backbone=dict(pruner=dict(type='ClusterPruner', num_keep=61, depth=7)),
    test_cfg=dict(target='center'),
)
# The center frame is evaluated.
val_dataloader = dict(dataset=dict(num_targets=1, stride=5))
test_dataloader = val_dataloader
