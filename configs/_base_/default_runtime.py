_base_ = ['mmpose::_base_/default_runtime.py']

default_scope = 'mmpose'
# for mmengine.hub.get_model, instead of weights that an entry of a metafile names
model_path = 'mmhot://no-weights-of-this-config'
custom_imports = dict(imports=['mmhot.plugin'], allow_failed_imports=False)
# reproducible resumed epochs; BatchNorm's statistics shared by processes
custom_hooks = [dict(type='EpochSeedHook'), dict(type='SyncBuffersHook')]
default_hooks = dict(
    start=dict(type='StartHook'),
    report=dict(type='ReportHook'),
    # squared pixels: keypoints are off by 20 in x and in y; MMPose takes the head's
    # loss by default, which compares labels
    badcase=dict(metric=dict(type='KeypointMSELoss'), badcase_thr=400),
    finite_loss=dict(type='FiniteLossHook'),
    keypoints=dict(type='KeypointOrderHook'),
    annotations=dict(type='AnnotationHook'),
)
