_base_ = '../../motionbert/cmu_mocap/motionbert-xs_81frm_1xb8-10e_cmu-wild.py'

model = dict(
    backbone=dict(
        pruner=dict(type='UniformPruner', num_keep=27, depth=1),
        recoverer=dict(type='InterpolationRecoverer'),
    ),
)
# It starts from the weights of the host after its ten epochs (load_from).
train_cfg = dict(max_epochs=20)
