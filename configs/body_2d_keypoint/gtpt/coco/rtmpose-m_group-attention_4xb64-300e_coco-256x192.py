# RTMPose-m with GTPT's group attention in its head; not from the paper.
_base_ = ['gtpt-s_4xb64-300e_coco-256x192.py']
model = dict(
    backbone=dict(
        _delete_=True,
        type='CSPNeXt',
        arch='P5',
        deepen_factor=0.67,
        widen_factor=0.75,
        out_indices=(4,),
        act_cfg=dict(type='SiLU'),
    ),
    head=dict(
        _delete_=True,
        type='GroupRTMCCHead',
        in_channels=768,
        out_channels=17,
        input_size=_base_.codec.input_size,
        in_featuremap_size=(6, 8),
        final_layer_kernel_size=7,
        attention=dict(type='GroupAttention', num_heads=8),
        groups=(('head',), ('upper_body',), ('lower_body',)),
        loss=dict(type='KLDiscretLoss', use_target_weight=True),
        decoder=_base_.codec,
    ),
)
