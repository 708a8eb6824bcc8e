_base_ = [
    '../../../_base_/lifting_runtime.py',
    '../../../_base_/datasets/human36m.py',
    '../../../_base_/models/mhformer.py',
    '../../../_base_/schedules/mhformer_20e.py',
]
frames = 351
# all frames are trained; windows start every 27th frame, not every, as MMPose holds
# them all in memory, and come 27 times in an epoch instead
train_windows = _base_.train_dataloader.dataset
train_windows.update(multiple_target=frames, multiple_target_step=27)
repeated = dict(_delete_=True, type='RepeatDataset', times=27, dataset=train_windows)
train_dataloader = dict(batch_size=128, dataset=repeated)
# the centre frame of the window around each frame is evaluated
centred = dict(seq_len=frames, multiple_target=0, causal=False, pad_video_seq=True)
val_dataloader = dict(batch_size=128, dataset=centred)
test_dataloader = val_dataloader
train_cfg = dict(by_epoch=True, max_epochs=20, val_interval=1)
