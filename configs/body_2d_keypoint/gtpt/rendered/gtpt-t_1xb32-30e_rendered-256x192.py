_base_ = [
    '../../../_base_/datasets/rendered_people.py',
    '../../../_base_/models/gtpt-t_guided.py',
    '../../../_base_/schedules/rendered_30e_guided.py',
]
