# The same for models with guidance, strongest in the first epochs.
_base_ = ['./rendered_30e.py']

custom_hooks = [*_base_.custom_hooks, dict(type='GuidanceHook', factor=10.0, end=3)]
