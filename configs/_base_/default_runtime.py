_base_ = ['mmpose::_base_/default_runtime.py']

default_scope = 'mmpose'
# mmengine.hub.get_model loads these, unless a metafile names weights of the config.
model_path = 'mmhot://no-weights-of-this-config'
custom_imports = dict(imports=['mmhot.plugin'], allow_failed_imports=False)
# The first hook makes resumed epochs reproducible, the second one shares the
# statistics of BatchNorm between processes.
custom_hooks = [dict(type='EpochSeedHook'), dict(type='SyncBuffersHook')]
default_hooks = dict(
    start=dict(type='StartHook'),
    report=dict(type='ReportHook'),
    # 400 squared pixels are 20 pixels in x and in y. MMPose's default metric is the
    # loss of the head, which compares labels.
    badcase=dict(metric=dict(type='KeypointMSELoss'), badcase_thr=400),
    finite_loss=dict(type='FiniteLossHook'),
    keypoints=dict(type='KeypointOrderHook'),
    annotations=dict(type='AnnotationHook'),
)
