_base_ = [
    '../../../_base_/schedules/gtpt_300e.py',
    '../../../_base_/datasets/coco_topdown.py',
    '../../../_base_/models/gtpt-t.py',
]
default_hooks = dict(checkpoint=dict(save_best='coco/AP'))
