# The weights mmhot://gtpt-t_coco17_synth: how they were trained, and what their scores
# mean, fitted on val_00 by tools/evaluate_2d.py --fit-confidence.
_base_ = './gtpt_t_1xb32-30e_rendered-256x192.py'

model = dict(
    test_cfg=dict(
        score_curve=(
            (0.0, 0.14, 0.266, 0.374, 0.46, 0.527, 0.584, 0.645, 0.732, 1.0),
            (0.0, 0.549, 0.85, 0.949, 0.976, 0.991, 0.995, 0.999, 1.0, 1.0),
        )
    ),
)
