# The weights mmhot://gtpt-t_wholebody133_synth: how they were trained, and what their
# scores mean, fitted on the 17 keypoints of the body in val_00 by
# tools/evaluate_2d.py --fit-confidence.
_base_ = './gtpt_t_1xb32-10e_rendered-wholebody-192x144.py'

model = dict(
    test_cfg=dict(
        score_curve=(
            (0.0, 0.152, 0.273, 0.38, 0.462, 0.527, 0.584, 0.653, 0.754, 1.0),
            (0.0, 0.456, 0.788, 0.902, 0.957, 0.974, 0.986, 0.997, 1.0, 1.0),
        )
    ),
)
