# The weights mmhot://gtpt-t_wholebody133_synth: how they were trained, and what their
# scores mean, fitted on the 17 keypoints of the body in val_00 by
# tools/evaluate_2d.py --fit-confidence.
_base_ = './gtpt_t_1xb32-10e_rendered-wholebody-192x144.py'

model = dict(
    test_cfg=dict(
        score_curve=(
            (0.0, 0.142, 0.263, 0.367, 0.453, 0.525, 0.585, 0.65, 0.741, 1.0),
            (0.0, 0.46, 0.794, 0.911, 0.958, 0.979, 0.989, 0.997, 0.999, 0.999),
        )
    ),
)
