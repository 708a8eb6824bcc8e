_base_ = ['mmpose::_base_/default_runtime.py']

default_scope = 'mmpose'
custom_imports = dict(imports=['mmhot.plugin'], allow_failed_imports=False)
# reproducible resumed epochs; BatchNorm's statistics shared by processes
custom_hooks = [dict(type='EpochSeedHook'), dict(type='SyncBuffersHook')]
default_hooks = dict(
    # people of whom at most half of the keypoints are within 0.1 boxes of the truth;
    # MMPose takes the head's loss by default, which compares labels, not keypoints
    badcase=dict(
        metric_type='accuracy',
        metric=dict(type='PCKAccuracy', thr=0.1),
        badcase_thr=0.5,
    ),
    checkpoint=dict(type='WholeCheckpointHook'),
    runtime_info=dict(type='DeferredLossHook'),
    finite_loss=dict(type='FiniteLossHook'),
    keypoints=dict(type='KeypointOrderHook'),
)
