_base_ = './hot-timed-motionbert-xs_81frm-keep27_1xb8-10e_cmu-wild.py'

# half of the target are the poses of the host, which processes all frames
default_hooks = dict(
    distill=dict(
        type='DistillHook',
        teacher='work_dirs/motionbert-xs_81frm_1xb8-10e_cmu-wild/epoch_10.pth',
    ),
)
