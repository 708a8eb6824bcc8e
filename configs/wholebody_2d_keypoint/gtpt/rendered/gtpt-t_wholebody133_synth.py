# The weights mmhot://gtpt-t_wholebody133_synth: how they were trained, and what their
# scores mean, fitted on the 17 keypoints of the body in val_00 by
# tools/evaluate_2d.py --fit-confidence.
_base_ = './gtpt_t_1xb32-10e_rendered-wholebody-192x144.py'

model = dict(
    test_cfg=dict(
        score_curve=(
            (0.0, 0.14, 0.258, 0.358, 0.442, 0.51, 0.569, 0.639, 0.741, 1.0),
            (0.0, 0.436, 0.78, 0.913, 0.947, 0.98, 0.991, 0.995, 1.0, 1.0),
        )
    ),
)
