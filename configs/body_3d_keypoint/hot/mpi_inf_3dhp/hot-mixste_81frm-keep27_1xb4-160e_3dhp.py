_base_ = '../../mixste/mpi_inf_3dhp/mixste_81frm_1xb4-160e_3dhp.py'

model = dict(
    backbone=dict(
        pruner=dict(type='ClusterPruner', num_keep=27, depth=3),
        recoverer=dict(type='AttentionRecoverer'),
    ),
)
