# A third of the training of the shipped weights, for comparisons of lifters.
_base_ = './wild.py'

train_cfg = dict(max_epochs=10)
param_scheduler = _base_.param_scheduler
param_scheduler[1].T_max = 10
