# GTPT-T whose tokens are guided to their patches, for short trainings.
_base_ = ['../../../../configs/_base_/models/gtpt-t.py']

model = dict(head=dict(guidance=dict(type='PatchGuidanceLoss', weight=0.01)))
