_base_ = [
    '../../../_base_/default_runtime.py',
    '../../../_base_/datasets/cmu_mocap.py',
    '../../../_base_/models/nanohtnet.py',
    '../../../_base_/schedules/nanohtnet_49e.py',
]
custom_hooks = [dict(type='EpochSeedHook')]
