_base_ = '../../mixste/cmu_mocap/mixste_243frm_1xb4-160e_cmu.py'

# The steps of the pyramid are ours: the paper's are not published.
model = dict(
    backbone=dict(
        pruner=[
            dict(type='UniformPruner', num_keep=121, depth=2),
            dict(type='UniformPruner', num_keep=61, depth=4),
        ],
        recoverer=dict(type='InterpolationRecoverer'),
    ),
)
