_base_ = '../../motionbert/h36m/motionbert-lite_243frm_1xb32-60e_h36m-sh.py'

# our steps of the pyramid: the paper's are not known to us
model = dict(
    backbone=dict(
        pruner=[
            dict(type='UniformPruner', num_keep=121, depth=1),
            dict(type='UniformPruner', num_keep=61, depth=2),
        ],
        recoverer=dict(type='InterpolationRecoverer'),
    ),
)
