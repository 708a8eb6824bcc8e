_base_ = './tps-tri-motionbert-xs_81frm-keep27_1xb8-20e_cmu-wild.py'

# half the windows for the same video, each of 3.2 s
train_dataloader = dict(dataset=dict(downsample=2))
val_dataloader = dict(dataset=dict(downsample=2))
test_dataloader = val_dataloader
lifting = dict(fps=25.0)
# from the weights of the base at 50 frames per second (load_from)
train_cfg = dict(max_epochs=15)
param_scheduler = _base_.param_scheduler
param_scheduler[0].end = 200
param_scheduler[1].T_max = 15
