# MPI-INF-3DHP in P-STMO's files, ground-truth 2D poses, windows of 81 frames. Invalid
# test frames are in windows but do not count. Means are over all other frames, as in
# the official evaluation.
_base_ = ['./lifting_windows.py']

dataset_type = 'MPIINF3DHPClipDataset'
data_root = 'data/mpi_inf_3dhp/'
__files = dict(
    type=dataset_type,
    data_root=data_root,
    dataset_name='3dhp',  # in results; the joints are Human3.6M's
    seq_len=81,
    num_targets=81,
    stride=81,
)
train_dataloader = dict(dataset=dict(**__files, ann_file='data_train_3dhp.npz'))
val_dataloader = dict(dataset=dict(**__files, ann_file='data_test_3dhp.npz'))
test_dataloader = val_dataloader
val_evaluator = dict(
    _delete_=True,
    type='LiftingErrorMetric',
    measures=['MPJPE', 'P-MPJPE', 'PCK@150', 'AUC'],
    average='frames',
)
test_evaluator = val_evaluator
