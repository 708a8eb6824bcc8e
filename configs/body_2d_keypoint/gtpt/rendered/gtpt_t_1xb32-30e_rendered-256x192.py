_base_ = [
    '../../../_base_/datasets/rendered_people.py',
    '../../../_base_/models/gtpt_t.py',
    '../../../_base_/schedules/rendered_30e.py',
]
