_base_ = [
    './_base_/rendered_people.py',
    './_base_/gtpt-t_guided.py',
    './_base_/rendered_30e_guided.py',
]
