# MPI-INF-3DHP in P-STMO's files, ground-truth 2D poses, windows of 81 frames, all of
# which are predicted. Invalid test frames are in windows but do not count; means are
# over all other frames, as in the official evaluation.
_base_ = ['./human36m.py']
dataset_type = 'MPIINF3DHPClipDataset'

dataset = dict(
    _delete_=True,
    type=dataset_type,
    data_root='data/mpi_inf_3dhp/',
    ann_file='data_train_3dhp.npz',
    seq_len=81,
    num_targets=81,
    stride=81,
    times=2,
    pipeline={{_base_.train_pipeline}},
)
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        data_root='data/mpi_inf_3dhp/',
        ann_file='data_test_3dhp.npz',
        seq_len=81,
        num_targets=81,
        stride=81,
        pipeline={{_base_.val_pipeline}},
        test_mode=True,
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(
    _delete_=True,
    type='LiftingErrorMetric',
    measures=['MPJPE', 'P-MPJPE', 'PCK@150', 'AUC'],
    average='frames',
)
test_evaluator = val_evaluator
