_base_ = '../cmu_mocap/hot-mixste_81frm-keep27_1xb4-160e_cmu.py'

# Subjects of both are drawn evenly. Each dataset does all but packing.
seeding, *projection, target, flip, pack = _base_.train_dataloader.dataset.pipeline
cmu = dict(
    _base_.train_dataloader.dataset, pipeline=[seeding, *projection, target, flip]
)
mpi_inf_3dhp = dict(
    type='MPIINF3DHPClipDataset',
    data_root='data/mpi_inf_3dhp/',
    ann_file='data_train_3dhp.npz',
    seq_len=81,
    num_targets=81,
    pipeline=[seeding, target, flip],
)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='CombinedDataset',
        metainfo=dict(from_file='h36m.py'),
        datasets=[cmu, mpi_inf_3dhp],
        pipeline=[pack],
    ),
)
