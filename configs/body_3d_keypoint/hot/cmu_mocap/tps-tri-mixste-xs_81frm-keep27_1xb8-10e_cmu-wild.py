_base_ = '../../mixste/cmu_mocap/mixste-xs_81frm_1xb8-10e_cmu-wild.py'

model = dict(
    backbone=dict(
        pruner=dict(type='UniformPruner', num_keep=27, depth=3),
        recoverer=dict(type='InterpolationRecoverer'),
    ),
)
