_base_ = [
    '../../../_base_/schedules/gtpt_300e.py',
    '../../../_base_/datasets/coco_topdown.py',
    '../../../_base_/models/gtpt-b.py',
]
default_hooks = dict(checkpoint=dict(save_best='coco/AP'))
