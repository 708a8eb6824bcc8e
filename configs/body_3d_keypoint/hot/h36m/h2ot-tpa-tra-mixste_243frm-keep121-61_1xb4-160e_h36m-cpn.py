_base_ = '../../mixste/h36m/mixste_243frm_1xb4-160e_h36m-cpn.py'

# our steps of the pyramid: the paper's are not known to us
model = dict(
    backbone=dict(
        pruner=[
            dict(type='AttentionPruner', num_keep=121, depth=2),
            dict(type='AttentionPruner', num_keep=61, depth=4),
        ],
        recoverer=dict(type='AttentionRecoverer'),
    ),
)
