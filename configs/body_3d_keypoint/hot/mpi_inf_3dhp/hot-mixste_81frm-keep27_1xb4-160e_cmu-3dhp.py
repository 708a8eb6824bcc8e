_base_ = '../../mixste/cmu_mocap/mixste_81frm_1xb4-160e_cmu.py'

model = dict(
    backbone=dict(
        pruner=dict(type='ClusterPruner', num_keep=27, depth=3),
        recoverer=dict(type='AttentionRecoverer'),
    ),
)
# Subjects of both datasets are drawn evenly. Each dataset has its own transforms; only
# packing is shared.
__steps = _base_.train_dataloader.dataset.pipeline
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='CombinedDataset',
        metainfo=dict(from_file='h36m.py'),
        datasets=[
            dict(_base_.train_dataloader.dataset, pipeline=__steps[:-1]),
            dict(
                type='MPIINF3DHPClipDataset',
                data_root='data/mpi_inf_3dhp/',
                ann_file='data_train_3dhp.npz',
                seq_len=81,
                num_targets=81,
                pipeline=[__steps[0], *__steps[-3:-1]],
            ),
        ],
        pipeline=__steps[-1:],
    ),
)
