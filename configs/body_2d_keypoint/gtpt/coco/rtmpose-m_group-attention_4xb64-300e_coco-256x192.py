# RTMPose-m with GTPT's group attention in its head; not from the paper.
_base_ = ['gtpt_cspnext-m_4xb64-300e_coco-256x192.py']
codec = _base_.codec
model = dict(
    backbone=dict(out_indices=(4,)),
    head=dict(
        _delete_=True,
        type='GroupRTMCCHead',
        in_channels=768,
        out_channels=17,
        input_size=codec['input_size'],
        in_featuremap_size=(6, 8),
        final_layer_kernel_size=7,
        attention=dict(type='GroupAttention', num_heads=8),
        groups=(('head',), ('upper_body',), ('lower_body',)),
        loss=dict(type='KLDiscretLoss', use_target_weight=True),
        decoder=codec,
    ),
)
