_base_ = '../../mixste/h36m/mixste_243frm_1xb4-160e_h36m-cpn.py'

model = dict(
    backbone=dict(
        pruner=dict(type='UniformPruner', num_keep=81, depth=3),
        recoverer=dict(type='InterpolationRecoverer'),
    ),
)
