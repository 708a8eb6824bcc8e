# Human3.6M in MotionBERT's file, with 2D poses of a stacked hourglass, as in its paper;
# else human36m_image_space.py.
_base_ = ['./human36m_image_space.py']
dataset_type = 'MotionBERTDataset'

files = dict(
    _delete_=True,
    type=dataset_type,
    data_root='data/h36m/',
    ann_file='h36m_sh_conf_cam_source_final.pkl',
    seq_len=243,
    num_targets=243,
    keep_rest=False,
)
train_dataloader = dict(
    dataset=dict(
        **files,
        split='train',
        # the file has no scale for training; labels in image space need none
        millimeters_per_pixel=4.4,
        stride=81,
        pipeline={{_base_.train_pipeline}},
    )
)
val_dataloader = dict(
    dataset=dict(
        **files,
        split='test',
        stride=243,
        pipeline={{_base_.val_pipeline}},
        test_mode=True,
    )
)
test_dataloader = val_dataloader
wrong = [
    's_09_act_05_subact_02',
    's_09_act_10_subact_02',
    's_09_act_13_subact_01',
]
val_evaluator = dict(skip_list=wrong)
test_evaluator = val_evaluator
