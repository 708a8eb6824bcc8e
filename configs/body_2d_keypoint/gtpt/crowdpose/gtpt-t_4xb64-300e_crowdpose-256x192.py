_base_ = [
    '../../../_base_/schedules/gtpt_300e.py',
    '../../../_base_/datasets/crowdpose_topdown.py',
    '../../../_base_/models/gtpt-t.py',
]
model = dict(head=dict(out_channels=14, skeleton='crowdpose-14'))
default_hooks = dict(checkpoint=dict(save_best='crowdpose/AP'))
