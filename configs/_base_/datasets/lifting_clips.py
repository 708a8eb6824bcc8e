# Shared by datasets of clips: codec, flip of the labels, and keys of the metainfo.
data_mode = 'topdown'
codec = dict(type='CameraPoseLifting')
no_center = dict(center_mode='static', center_x=0.0)
# labels have zero at the center
flip = dict(
    type='RandomFlipAroundRoot',
    flip_label=True,
    keypoints_flip_cfg=no_center,
    target_flip_cfg=no_center,
)
meta_keys = (
    'id',
    'subject',
    'action',
    'clip',
    'frame',
    'target_frame_numbers',
    'fps',
    'dataset_name',
    'camera_param',
    'flip_indices',
    'target_root',
    'root_world',
    'camera_axes',
)
