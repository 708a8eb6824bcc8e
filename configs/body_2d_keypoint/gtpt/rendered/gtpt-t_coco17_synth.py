# The weights mmhot://gtpt-t_coco17_synth: how they were trained, and what their scores
# mean, fitted on val_00 by tools/evaluate_2d.py --fit-confidence.
_base_ = './gtpt_t_1xb32-6e_rendered-192x144.py'

model = dict(
    test_cfg=dict(
        score_curve=(
            (0.0, 0.154, 0.287, 0.402, 0.496, 0.574, 0.64, 0.703, 0.793, 1.0),
            (0.0, 0.483, 0.802, 0.928, 0.971, 0.976, 0.991, 0.997, 0.999, 1.0),
        )
    ),
)
