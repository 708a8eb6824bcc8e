# The weights mmhot://gtpt-t_coco17_synth: how they were trained, and what their scores
# mean, fitted on val_00 by tools/evaluate_2d.py --fit-confidence.
_base_ = './gtpt_t_1xb32-30e_rendered-256x192.py'

model = dict(
    test_cfg=dict(
        score_curve=(
            (0.0, 0.13, 0.248, 0.351, 0.434, 0.499, 0.553, 0.613, 0.703, 1.0),
            (0.0, 0.529, 0.845, 0.949, 0.974, 0.989, 0.995, 0.998, 1.0, 1.0),
        )
    ),
)
