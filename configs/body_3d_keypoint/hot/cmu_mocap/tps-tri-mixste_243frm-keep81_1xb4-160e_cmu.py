_base_ = '../../mixste/cmu_mocap/mixste_243frm_1xb4-160e_cmu.py'

model = dict(
    backbone=dict(
        pruner=dict(type='UniformPruner', num_keep=81, depth=3),
        recoverer=dict(type='InterpolationRecoverer'),
    ),
)
