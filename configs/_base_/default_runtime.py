_base_ = ['mmpose::_base_/default_runtime.py']

default_scope = 'mmpose'
custom_imports = dict(imports=['mmhot.plugin'], allow_failed_imports=False)
# resumed epochs are what they would have been; processes share BatchNorm's statistics
custom_hooks = [dict(type='EpochSeedHook'), dict(type='SyncBuffersHook')]
