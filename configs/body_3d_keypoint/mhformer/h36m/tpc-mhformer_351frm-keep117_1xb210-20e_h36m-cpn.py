_base_ = './mhformer_351frm_1xb128-20e_h36m-cpn.py'

model = dict(
    backbone=dict(pruner=dict(type='ClusterPruner', num_keep=117, depth=1)),
)
train_dataloader = dict(batch_size=210)
auto_scale_lr = dict(base_batch_size=210)
