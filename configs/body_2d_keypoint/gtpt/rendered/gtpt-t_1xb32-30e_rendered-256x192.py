_base_ = [
    '../../../_base_/datasets/rendered_people.py',
    '../../../_base_/models/gtpt-t.py',
    '../../../_base_/schedules/rendered_30e.py',
]

# With few epochs, tokens that are told where to look learn sooner.
model = dict(head=dict(guidance=dict(type='PatchGuidanceLoss', weight=0.01)))
custom_hooks = [*_base_.custom_hooks, dict(type='GuidanceHook', factor=10.0, end=3)]
