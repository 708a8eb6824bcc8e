# MMPose's own training of MotionBERT with an hourglass in the backbone; codec, head,
# data and metric are MMPose's. See docs/mmpose.md.
_base_ = (
    'mmpose::body_3d_keypoint/motionbert/h36m/'
    'motionbert_dstformer-243frm_8xb32-240e_h36m.py'
)

model_path = 'mmhot://no-weights-of-this-config'
custom_imports = dict(imports=['mmhot.plugin'], allow_failed_imports=False)
model = dict(
    backbone=dict(
        _delete_=True,
        type='MotionBERT',
        in_channels=3,
        embed_dims=512,
        depth=5,
        num_heads=8,
        mlp_ratio=2,
        num_frames=243,
        pruner=dict(type='ClusterPruner', num_keep=81, depth=1),
        recoverer=dict(type='AttentionRecoverer'),
    ),
)
